import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { openVolume } from "../../shared/catalog/open-volume.ts";
import { manifestSigner } from "../../shared/catalog/manifest-signature.ts";
import { runFiles } from "../../shared/catalog/run-files.ts";
import { volumeCatalog } from "../../shared/catalog/volume-catalog.ts";
import { eventSink } from "../../shared/events/event-sink.ts";
import { jsonLog } from "../../shared/log.ts";
import type { BackupDependencies } from "../../shared/operations/backup-request.ts";
import type { MirrorPolicy } from "../../shared/operations/mirror-backups.ts";
import { interruptedBackups } from "../../shared/operations/resume-backups.ts";
import { advisoryLock } from "../../shared/postgres/advisory-lock.ts";
import { connectionSettings } from "../../shared/postgres/connection-settings.ts";
import { dumpToolFinder } from "../../shared/postgres/dump-tool.ts";
import { openLibpq, type Libpq } from "../../shared/postgres/libpq.ts";
import { databaseInspector } from "../../shared/postgres/preflight.ts";
import { readConfig } from "../../shared/runtime/config.ts";
import { lazyMirror } from "../../shared/runtime/lazy-mirror.ts";
import { bucketSettings } from "../../shared/runtime/mirror-config.ts";
import { runsOf } from "../../shared/runtime/runs.ts";
import { serve, startFunction } from "../../shared/runtime/serve.ts";
import { version } from "../../shared/version.ts";
import { backupConfig, type BackupConfig } from "./config.ts";
import { backupHandler } from "./handler.ts";

const now = () => new Date();
const log = jsonLog((line) => process.stdout.write(line), now, { function: "backup" });

async function main(): Promise<void> {
  const config = readConfig(backupConfig, process.env, (path) => readFileSync(path, "utf8"));
  await openVolume(config.BACKUP_DIR);
  const libpq = await openLibpq(connectionSettings(config));
  const deps = { ...dependenciesOf(config, libpq), ...(await protectionOf(config)) };
  await serve({
    handler: backupHandler(deps, {
      database: config.POSTGRESQL_DATABASE,
      allowIncomplete: config.ALLOW_INCOMPLETE ?? new Set(),
      retryForMs: config.RETRY_SECONDS * 1000,
    }),
    runs: runsOf({ store: deps.runs, log, now }),
    log,
    port: config.PORT,
    shutdownGraceMs: config.SHUTDOWN_GRACE_SECONDS * 1000,
    version,
    interrupted: await interruptedBackups(deps),
    dispose: () => libpq[Symbol.asyncDispose](),
  });
}

function dependenciesOf(config: BackupConfig, libpq: Libpq): BackupDependencies {
  const connection = connectionSettings(config);
  const source = `/dormouse/backup/${encodeURIComponent(config.POSTGRESQL_DATABASE)}`;
  const place = { binDir: config.PG_BIN_DIR, searchPath: process.env["PATH"] ?? "" };
  return {
    catalog: volumeCatalog(config.BACKUP_DIR),
    runs: runFiles(config.BACKUP_DIR, log, now),
    lock: advisoryLock(connection),
    inspect: databaseInspector(connection),
    findDumpTool: dumpToolFinder(libpq, dumpOptions(config), place),
    mirroring: mirroringOf(config),
    events: eventSink(config.K_SINK, config.K_CE_OVERRIDES, source, now),
    log,
    now,
    monotonicMs: () => performance.now(),
    pause: (ms, signal) => pause(ms, undefined, { signal }),
    version,
  };
}

/** Loaded only where it is asked for; a key that cannot be used is told before the first backup is due. */
async function protectionOf(config: BackupConfig): Promise<Pick<BackupDependencies, "encryption" | "sign">> {
  const { AGE_RECIPIENTS: recipients, MANIFEST_SIGNING_KEY: key } = config;
  const sign = key === undefined ? undefined : manifestSigner(key);
  if (recipients === undefined) return { sign };
  if (sign === undefined)
    log.warn("archives are encrypted, but nothing proves who made them: set MANIFEST_SIGNING_KEY");
  const { ageEncryption } = await import("../../shared/catalog/age-encryption.ts");
  return { encryption: ageEncryption(recipients), sign };
}

function mirroringOf(config: BackupConfig): MirrorPolicy | undefined {
  const settings = bucketSettings(config, (path) => readFileSync(path, "utf8"));
  if (settings === undefined) return undefined;
  return {
    mirror: lazyMirror(async () => (await import("../../shared/mirror/s3-mirror.ts")).s3Mirror(settings)),
    keep: config.S3_NUM_BACKUPS ?? config.NUM_BACKUPS,
    timeoutMs: config.MIRROR_TIMEOUT_MINUTES * 60_000,
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

await startFunction(log, main);
