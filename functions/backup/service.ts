import type { Problem } from "../../shared/errors.ts";
import type { Run } from "../../shared/run/run.ts";
import { volumeCheck } from "../../shared/doctor/check-volume.ts";
import { sinkCheck } from "../../shared/doctor/check-sink.ts";
import { runChecks } from "../../shared/doctor/run-checks.ts";
import type { MirrorPolicy } from "../../shared/backup/mirror-backups.ts";
import { interruptedRuns } from "../../shared/run/resume-runs.ts";
import { announceFailure } from "../../shared/backup/take-backup.ts";
import { databaseCheck } from "../../shared/doctor/check-database.ts";
import { connectionSettings } from "../../shared/postgres/session/connection-settings.ts";
import { openLibpq } from "../../shared/postgres/session/libpq.ts";
import { runsInPod } from "../../shared/function/service.ts";
import type { Service } from "../../shared/function/service.ts";
import { createAuthorizer, createEventAuthorizer } from "../../shared/http/authorize-by.ts";
import { sendersCheck } from "../../shared/doctor/check-senders.ts";
import { backupDependencies, type BackupDependencies } from "../../shared/backup/taking-backup.ts";
import { openBucketCatalog } from "../../shared/catalog/bucket/open-bucket.ts";
import { writerKeys } from "../../shared/catalog/encryption/protection.ts";
import type { ProcessContext } from "../../shared/function/run-function.ts";
import type { BackupConfig } from "./config.ts";
import { backupHandler } from "./handler.ts";
import { keepPolicy } from "../../shared/retention/retention-policy.ts";
import { callerChecks } from "../../shared/doctor/check-callers.ts";
import { mirrorChecks } from "../../shared/doctor/check-mirror.ts";

const TELL_WITHIN_MS = 60_000;

/** Wires what a backup needs. */
export async function backupService(config: BackupConfig, surroundings: ProcessContext): Promise<Service> {
  const { log } = surroundings;
  const libpq = await openLibpq(connectionSettings(config));
  const deps = {
    ...backupDependencies("backup", config, surroundings, {
      libpq,
      dumpOptions: dumpOptions(config),
      keys: await writerKeys(config),
    }),
    mirroring: configureMirroring(config),
  };
  const givenUp = (run: Run, problem: Problem) =>
    announceFailure(deps, run.database, { run, meanwhile: inBackground }, problem);
  return {
    handler: {
      ...backupHandler(deps, {
        database: config.POSTGRESQL_DATABASE,
        allowIncomplete: config.ALLOW_INCOMPLETE ?? new Set(),
        excludeTableData: config.EXCLUDE_TABLE_DATA ?? [],
        retryForMs: config.RETRY_SECONDS * 1000,
        minIntervalMs: config.MIN_INTERVAL_MINUTES * 60_000,
      }),
      runChecks: (signal) => runChecks(listChecks(config, deps), signal),
    },
    ...runsInPod(config, { store: deps.runs, log, now: () => new Date(), events: deps.events }),
    authorize: await createAuthorizer(config),
    authorizeEvent: createEventAuthorizer(config),
    interrupted: await interruptedRuns(
      { ...deps, now: () => new Date(), givenUp },
      "backup",
      config.POSTGRESQL_DATABASE,
    ),
    dispose: () => libpq[Symbol.asyncDispose](),
  };
}

/** No run waits for its end. */
function inBackground(task: (signal: AbortSignal) => Promise<void>): void {
  void task(AbortSignal.timeout(TELL_WITHIN_MS));
}

function listChecks(config: BackupConfig, { connection, toolPlace }: BackupDependencies) {
  const { POSTGRESQL_DATABASE: database, ALLOW_INCOMPLETE: allowIncomplete = new Set() } = config;
  return [
    volumeCheck(config.BACKUP_DIR, () => new Date()),
    databaseCheck(connection, { database, allowIncomplete }, toolPlace),
    ...mirrorChecks(config, "backup"),
    ...callerChecks(config),
    sendersCheck(config),
    sinkCheck(config),
  ];
}

function configureMirroring(config: BackupConfig): MirrorPolicy | undefined {
  const mirror = openBucketCatalog(config);
  const keep = keepPolicy(config, config.S3_NUM_BACKUPS ?? config.NUM_BACKUPS);
  return mirror && { mirror, keep, timeoutMs: config.MIRROR_TIMEOUT_MINUTES * 60_000 };
}

function dumpOptions(config: BackupConfig) {
  return {
    deadlineMs: config.DUMP_TIMEOUT_MINUTES * 60_000,
    stallMs: config.STALL_TIMEOUT_SECONDS * 1000,
    lockWaitMs: config.LOCK_WAIT_SECONDS * 1000,
    secrets: [config.POSTGRESQL_PASSWORD],
  };
}
