import { ALL_DATABASES, type RunContext } from "../../shared/run/run.ts";
import { databaseChoice } from "../../shared/config/database-choice.ts";
import { retiredDatabases } from "../../shared/backup/retired-databases.ts";
import { sweepDatabases } from "./sweep/sweep-databases.ts";
import { volumeCheck } from "../../shared/doctor/check-volume.ts";
import { notificationChecks } from "../../shared/doctor/check-notifications.ts";
import { sinkCheck } from "../../shared/doctor/check-sink.ts";
import { runChecks } from "../../shared/doctor/run-checks.ts";
import type { MirrorPolicy } from "../../shared/backup/mirror-backups.ts";
import { interruptedRuns } from "../../shared/run/resume-runs.ts";
import { failureOf } from "../../shared/backup/take-backup.ts";
import { eachDatabase } from "../../shared/doctor/each-database.ts";
import { databaseCheck } from "../../shared/doctor/check-database.ts";
import { connectionSettings } from "../../shared/postgres/session/connection-settings.ts";
import { openLibpq } from "../../shared/postgres/session/libpq.ts";
import { createAuthorizer, createEventAuthorizer } from "../../shared/http/authorize-by.ts";
import { backupDependencies, type BackupDependencies } from "../../shared/backup/taking-backup.ts";
import { openBucketCatalog } from "../../shared/catalog/bucket/open-bucket.ts";
import { writerKeys } from "../../shared/catalog/encryption/protection.ts";
import type { ProcessContext } from "../../shared/function/run-function.ts";
import type { BackupConfig } from "./config.ts";
import { backupHandler, knownDatabase } from "./handler.ts";
import { keepPolicy } from "../../shared/retention/retention-policy.ts";
import { mirrorChecks } from "../../shared/doctor/check-mirror.ts";
import { runsInPod, type Service } from "../../shared/function/service.ts";
import { sendersCheck, callerChecks } from "../../shared/doctor/check-callers.ts";

/** Wires what a backup needs. */
export async function backupService(config: BackupConfig, surroundings: ProcessContext): Promise<Service> {
  const { log } = surroundings;
  const libpq = await openLibpq(connectionSettings(config));
  const mirroring = configureMirroring(config);
  const wired = backupDependencies("backup", config, surroundings, {
    libpq,
    dumpOptions: dumpOptions(config),
    keys: await writerKeys(config),
  });
  const depsOf = (database: string) => ({ ...wired(database), mirroring });
  const deps = depsOf(ALL_DATABASES);
  const pod = runsInPod(config, {
    store: deps.runs,
    log,
    eventsOf: (database) => depsOf(database).events,
  });
  const retired = retiredDatabases(config.BACKUP_DIR);
  const sweep = (context: RunContext) => {
    const parts = { inPod: pod.runs, work: handler.work };
    return sweepDatabases({ ...deps, ...readSettings(config), ...parts, retired }, context);
  };
  const handler = backupHandler({ depsOf, sweep, isKnown: knownDatabase(deps) }, readSettings(config));
  return {
    handler: { ...handler, runChecks: (signal) => runChecks(listChecks(config, deps), signal) },
    ...pod,
    authorize: await createAuthorizer(config),
    authorizeEvent: createEventAuthorizer(config),
    interrupted: await interruptedRuns({ ...deps, failureOf }, "backup", handler.covers),
    dispose: () => libpq[Symbol.asyncDispose](),
  };
}

function readSettings(config: BackupConfig) {
  return {
    choice: databaseChoice(config),
    allowIncomplete: config.ALLOW_INCOMPLETE ?? new Set<never>(),
    excludeTableData: config.EXCLUDE_TABLE_DATA ?? [],
    retryForMs: config.RETRY_SECONDS * 1000,
    minIntervalMs: config.MIN_INTERVAL_MINUTES * 60_000,
  };
}

function listChecks(config: BackupConfig, { connection, toolPlace, runs }: BackupDependencies) {
  const { ALLOW_INCOMPLETE: allowIncomplete = new Set() } = config;
  const server = { connection, choice: databaseChoice(config) };
  return [
    volumeCheck(config.BACKUP_DIR),
    eachDatabase(server, "database", (database) =>
      databaseCheck(connection, { database, allowIncomplete }, toolPlace),
    ),
    ...mirrorChecks(config, "backup"),
    ...callerChecks(config),
    ...notificationChecks(config, runs, "backup"),
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
