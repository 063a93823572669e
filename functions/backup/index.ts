import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { openVolume } from "../../shared/catalog/open-volume.ts";
import { runFiles } from "../../shared/catalog/run-files.ts";
import { volumeCatalog } from "../../shared/catalog/volume-catalog.ts";
import { asDormouseError, DormouseError } from "../../shared/errors.ts";
import { eventSink } from "../../shared/events/event-sink.ts";
import { jsonLog, type Log } from "../../shared/log.ts";
import type { BackupDependencies } from "../../shared/operations/backup-request.ts";
import { interruptedBackups } from "../../shared/operations/resume-backups.ts";
import { advisoryLock } from "../../shared/postgres/advisory-lock.ts";
import type { ConnectionSettings } from "../../shared/postgres/connection.ts";
import { dumpToolFinder } from "../../shared/postgres/dump-tool.ts";
import { openLibpq, type Libpq } from "../../shared/postgres/libpq.ts";
import { databaseInspector } from "../../shared/postgres/preflight.ts";
import { readConfig } from "../../shared/runtime/config.ts";
import { runsOf } from "../../shared/runtime/runs.ts";
import { createApp, listen } from "../../shared/runtime/server.ts";
import { endOnSignals } from "../../shared/runtime/shutdown.ts";
import { version } from "../../shared/version.ts";
import { backupConfig, type BackupConfig } from "./config.ts";
import { backupHandler } from "./handler.ts";

const now = () => new Date();
/** For the last answers to leave, once every run has ended. */
const ANSWER_MS = 1_000;
const log = jsonLog((line) => process.stdout.write(line), now, { function: "backup" });

async function main(): Promise<void> {
  const config = readConfig(backupConfig, process.env, (path) => readFileSync(path, "utf8"));
  await openVolume(config.BACKUP_DIR);
  const libpq = await openLibpq(connectionOf(config));
  const deps = dependenciesOf(config, libpq);
  const handler = backupHandler(deps, {
    database: config.POSTGRESQL_DATABASE,
    allowIncomplete: config.ALLOW_INCOMPLETE ?? new Set(),
    retryForMs: config.RETRY_SECONDS * 1000,
  });
  const runs = runsOf({ store: deps.runs, log, now });

  // Before the first request: a run that begins now must not be taken for one that was interrupted.
  const interrupted = await interruptedBackups(deps);
  const server = await listen(createApp({ handler, runs, log }), config.PORT);
  log.info("listening", { port: server.port, version, startMs: Math.round(performance.now()) });
  endOnSignals(log, async () => {
    server.stop();
    await runs.settle(config.SHUTDOWN_GRACE_SECONDS * 1000, stopped());
    await server.closed(ANSWER_MS);
    await libpq[Symbol.asyncDispose]();
  });
  for (const run of interrupted) {
    log.info("run taken up", { run: run.id, attempt: run.attempt });
    runs.takeUp(run, handler.work);
  }
}

function dependenciesOf(config: BackupConfig, libpq: Libpq): BackupDependencies {
  const connection = connectionOf(config);
  const source = `/dormouse/backup/${encodeURIComponent(config.POSTGRESQL_DATABASE)}`;
  const place = { binDir: config.PG_BIN_DIR, searchPath: process.env["PATH"] ?? "" };
  return {
    catalog: volumeCatalog(config.BACKUP_DIR),
    runs: runFiles(config.BACKUP_DIR, log, now),
    lock: advisoryLock(connection),
    inspect: databaseInspector(connection),
    findDumpTool: dumpToolFinder(libpq, dumpOptions(config), place),
    events: eventSink(config.K_SINK, config.K_CE_OVERRIDES, source, now),
    log,
    now,
    monotonicMs: () => performance.now(),
    pause: (ms, signal) => pause(ms, undefined, { signal }),
    version,
  };
}

function connectionOf(config: BackupConfig): ConnectionSettings {
  return {
    host: config.DATABASE_SERVICE_NAME,
    port: config.PGPORT,
    user: config.POSTGRESQL_USER,
    password: config.POSTGRESQL_PASSWORD,
    sslMode: config.PGSSLMODE,
    sslRootCert: config.PGSSLROOTCERT,
    sslCert: config.PGSSLCERT,
    sslKey: config.PGSSLKEY,
    maintenanceDatabase: config.MAINTENANCE_DATABASE,
    connectTimeoutMs: config.CONNECT_TIMEOUT_SECONDS * 1000,
  };
}

function dumpOptions(config: BackupConfig) {
  return {
    deadlineMs: config.DUMP_TIMEOUT_MINUTES * 60_000,
    stallMs: config.STALL_TIMEOUT_SECONDS * 1000,
    lockWaitMs: config.LOCK_WAIT_SECONDS * 1000,
    secrets: [config.POSTGRESQL_PASSWORD],
  };
}

function stopped(): DormouseError {
  return new DormouseError("interrupted", "the pod was told to stop before the run ended", {
    hint: "the run is taken up when the function starts again, within six hours",
  });
}

function startUpFailed(log: Log, error: unknown): void {
  const { code, message, hint } = asDormouseError(error);
  log.error("start-up failed", { code, error: message, hint });
  process.exitCode = 1;
}

await main().catch((error: unknown) => startUpFailed(log, error));
