import { setTimeout as pause } from "node:timers/promises";
import { volumeCheck } from "../../shared/catalog/check-volume.ts";
import { runFiles } from "../../shared/catalog/run-files.ts";
import { volumeCatalog } from "../../shared/catalog/volume-catalog.ts";
import { sinkCheck } from "../../shared/events/check-sink.ts";
import { eventSink } from "../../shared/events/event-sink.ts";
import type { Log } from "../../shared/log.ts";
import type { BackupDependencies } from "../../shared/operations/backup-request.ts";
import { examine } from "../../shared/operations/examine.ts";
import type { MirrorPolicy } from "../../shared/operations/mirror-backups.ts";
import { interruptedRuns } from "../../shared/operations/resume-runs.ts";
import { advisoryLock } from "../../shared/postgres/advisory-lock.ts";
import { databaseCheck } from "../../shared/postgres/check-database.ts";
import { connectionSettings } from "../../shared/postgres/connection-settings.ts";
import { databaseDropper } from "../../shared/postgres/drop-database.ts";
import { dumpToolFinder } from "../../shared/postgres/dump-tool.ts";
import { openLibpq, type Libpq } from "../../shared/postgres/libpq.ts";
import { databaseInspector } from "../../shared/postgres/preflight.ts";
import { runsInPod } from "../../shared/runtime/runs-in-pod.ts";
import type { Service } from "../../shared/runtime/service.ts";
import { version } from "../../shared/version.ts";
import { mirrorOf } from "../mirror.ts";
import { protectionOf } from "../protection.ts";
import type { Surroundings } from "../run-function.ts";
import type { BackupConfig } from "./config.ts";
import { backupHandler } from "./handler.ts";

const now = () => new Date();

/** Wires what a backup needs. `searchPath` is PATH, where client tools may lie. */
export async function backupService(
  config: BackupConfig,
  { log, searchPath }: Surroundings,
): Promise<Service> {
  const libpq = await openLibpq(connectionSettings(config));
  const deps = { ...dependenciesOf(config, log, searchPath, libpq), ...(await protectionOf(config)) };
  return {
    handler: {
      ...backupHandler(deps, {
        database: config.POSTGRESQL_DATABASE,
        allowIncomplete: config.ALLOW_INCOMPLETE ?? new Set(),
        retryForMs: config.RETRY_SECONDS * 1000,
      }),
      examine: (signal) => examine(checksOf(config, deps, searchPath), signal),
    },
    ...runsInPod(config, { store: deps.runs, log, now }),
    interrupted: await interruptedRuns(deps, "backup"),
    dispose: () => libpq[Symbol.asyncDispose](),
  };
}

function checksOf(config: BackupConfig, { inspect }: BackupDependencies, searchPath: string) {
  const place = { binDir: config.PG_BIN_DIR, searchPath };
  return [
    volumeCheck(config.BACKUP_DIR),
    databaseCheck(connectionSettings(config), config.POSTGRESQL_DATABASE, inspect, place),
    sinkCheck(config.K_SINK),
  ];
}

function dependenciesOf(
  config: BackupConfig,
  log: Log,
  searchPath: string,
  libpq: Libpq,
): BackupDependencies {
  const connection = connectionSettings(config);
  const source = `/dormouse/backup/${encodeURIComponent(config.POSTGRESQL_DATABASE)}`;
  const place = { binDir: config.PG_BIN_DIR, searchPath };
  return {
    catalog: volumeCatalog(config.BACKUP_DIR),
    runs: runFiles(config.BACKUP_DIR, log, now),
    lock: advisoryLock(connection),
    inspect: databaseInspector(connection),
    findDumpTool: dumpToolFinder(libpq, dumpOptions(config), place),
    mirroring: mirroringOf(config),
    dropDatabase: databaseDropper(connection),
    events: eventSink(config.K_SINK, config.K_CE_OVERRIDES, source, now),
    log,
    now,
    monotonicMs: () => performance.now(),
    pause: (ms, signal) => pause(ms, undefined, { signal }),
    version,
  };
}

function mirroringOf(config: BackupConfig): MirrorPolicy | undefined {
  const mirror = mirrorOf(config);
  const keep = config.S3_NUM_BACKUPS ?? config.NUM_BACKUPS;
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
