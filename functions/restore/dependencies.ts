import { setTimeout as pause } from "node:timers/promises";
import { inspectDatabase } from "../../shared/postgres/preflight.ts";
import { availableParallelism, tmpdir } from "node:os";
import type { CopiedArchives } from "../../shared/catalog/archives/archive-file.ts";
import { mergedCatalog } from "../../shared/catalog/merged-catalog.ts";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { trusting } from "../../shared/catalog/trusted-listing.ts";
import type { KeepPolicy } from "../../shared/retention/retention-policy.ts";
import type { HeldDatabase } from "../../shared/postgres/databases/held-database.ts";
import type { RunContext } from "../../shared/run/run.ts";
import type { WakeUpSource } from "./workloads/workload.ts";
import { mergedArchives } from "../../shared/catalog/archives/fetch-archive.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { clusterCaller, type CallCluster } from "../../shared/kubernetes/client.ts";
import { knativeWakeUpSource } from "./workloads/wake-up-source.ts";
import { kubernetesWorkloads } from "./workloads/workloads.ts";
import type { BackupDependencies } from "../../shared/backup/taking-backup.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import { takeBackup } from "../../shared/backup/take-backup.ts";
import { connectionSettings } from "../../shared/postgres/session/connection-settings.ts";
import { openLibpq, type Libpq } from "../../shared/postgres/session/libpq.ts";
import { restoreServer } from "../../shared/postgres/databases/restore-server.ts";
import { backupDependencies } from "../../shared/backup/taking-backup.ts";
import { openBucketCatalog } from "../../shared/catalog/bucket/open-bucket.ts";
import { readerKeys, writerKeys, type ReaderKeys } from "../../shared/catalog/encryption/protection.ts";
import type { ProcessContext } from "../../shared/function/run-function.ts";
import type { RestoreConfig } from "./config.ts";

/** How long taking back a failed restore is tried within its run. Then the next start, ping or request goes on. */
const SETTLE_MS = 300_000;

/** What the whole service has in common. */
export type Wired = {
  readonly deps: RestoreDependencies;
  readonly call: CallCluster;
  readonly dispose: () => Promise<void>;
};

const KEEPS_NOTHING: KeepPolicy = {
  newest: 0,
  daily: 0,
  weekly: 0,
  monthly: 0,
  yearly: 0,
  withinDays: 0,
  timeZone: "UTC",
  legacy: false,
};

/** Joins adapters to what a restore needs. */
export async function wire(config: RestoreConfig, surroundings: ProcessContext): Promise<Wired> {
  const access = await readerKeys(config);
  const { volume, mirror, catalog } = wirePlaces(config, access);
  const libpq = await openLibpq(connectionSettings(config));
  const call = clusterCaller({ kubeconfig: config.KUBECONFIG });
  // Only asked how far it is: a safety backup is sent by the next run of the backup function.
  const mirroring = mirror && { mirror, keep: KEEPS_NOTHING, timeoutMs: 0 };
  const writing = await writerKeys(config);
  const keys = { ...writing, judge: writing.judge ?? access.judge };
  const dumpOptions = { ...loadOptions(config), lockWaitMs: LOCK_WAIT_MS };
  const backup = {
    ...backupDependencies("restore", config, surroundings, { libpq, dumpOptions, keys }),
    mirroring,
  };
  const archives = { volume, catalog, files: openFiles(config, mirror, access) };
  const deps = { ...wireDependencies(config, surroundings, { libpq, call, backup }), ...archives };
  return { deps, call, dispose: () => libpq[Symbol.asyncDispose]() };
}

type Parts = { readonly libpq: Libpq; readonly call: CallCluster; readonly backup: BackupDependencies };

/** The volume, the bucket, and both as one. What one of them has forged hides nothing of the other. */
function wirePlaces(config: RestoreConfig, { judge }: ReaderKeys) {
  const volume = trusting(volumeCatalog(config.BACKUP_DIR), judge);
  const bucket = openBucketCatalog(config);
  const mirror = bucket && trusting(bucket, judge);
  return { volume, mirror, catalog: mirror === undefined ? volume : mergedCatalog(volume, mirror) };
}

function openFiles(config: RestoreConfig, mirror: Catalog | undefined, access: ReaderKeys): CopiedArchives {
  return mergedArchives({
    backupDir: config.BACKUP_DIR,
    restoreDir: openRestoreDir(config),
    fetch: mirror && ((...asked) => mirror.open(...asked)),
    ...access,
  });
}

export function openRestoreDir({ RESTORE_DIR }: RestoreConfig): string {
  return RESTORE_DIR ?? tmpdir();
}

function wireDependencies(
  config: RestoreConfig,
  surroundings: ProcessContext,
  { libpq, call, backup }: Parts,
): Omit<RestoreDependencies, "files" | "volume"> {
  const connection = connectionSettings(config);
  const place = { binDir: config.PG_BIN_DIR, searchPath: surroundings.searchPath };
  const seconds = (value: number) => value * 1000;
  return {
    ...backup,
    now: () => new Date(),
    pause: (ms, signal) => pause(ms, undefined, { signal }),
    inspect: (database, signal) => inspectDatabase(connection, database, signal),
    settings: {
      database: config.POSTGRESQL_DATABASE,
      suspectDropPercent: config.SUSPECT_DROP_PERCENT,
      workloads: config.APP_WORKLOADS ?? [],
      undoForMs: seconds(config.UNDO_HOURS * 3600),
      stopLimitMs: seconds(config.WORKLOAD_STOP_SECONDS),
      readyLimitMs: seconds(config.WORKLOAD_READY_SECONDS),
      busyForMs: seconds(config.BUSY_WAIT_SECONDS),
      settleForMs: SETTLE_MS,
    },
    server: restoreServer(connection, libpq, loadOptions(config), place),
    workloads: kubernetesWorkloads(call),
    wakeUpSource: createWakeUpSource(config, call),
    safetyBackup: (held, context) => takeSafetyBackup(backup, config.POSTGRESQL_DATABASE, held, context),
  };
}

function createWakeUpSource(
  { K_SERVICE, AUTH_EVENTS, AUTH_AUDIENCE }: RestoreConfig,
  call: CallCluster,
): WakeUpSource {
  if (K_SERVICE === undefined) return NO_WAKE_UP;
  return knativeWakeUpSource(call, K_SERVICE, AUTH_EVENTS === "kubernetes" ? AUTH_AUDIENCE : undefined);
}

/** Outside of Knative nothing scales this process to zero, and its own restart takes up what it left. */
const NO_WAKE_UP: WakeUpSource = {
  check: async () => ({}),
  ensure: async () => ({}),
  remove: async () => ({}),
  sends: () => false,
};

const LOCK_WAIT_MS = 60_000;

/** By the lock that the restore holds already, and found again by the run's name when that is taken up. */
function takeSafetyBackup(
  deps: BackupDependencies,
  database: string,
  held: HeldDatabase,
  context: RunContext,
) {
  const request = {
    database,
    label: `before ${context.run.id}`,
    pin: "safety backup of a restore in place",
    allowIncomplete: new Set<never>(),
    retryForMs: 0,
    waitsForLock: false,
    held,
  };
  return takeBackup({ ...deps, ...context, request });
}

function loadOptions(config: RestoreConfig) {
  const deadlineMs = config.LOAD_TIMEOUT_MINUTES * 60_000;
  return {
    deadlineMs,
    stallMs: deadlineMs,
    jobs: config.RESTORE_JOBS ?? availableParallelism(),
    secrets: [config.POSTGRESQL_PASSWORD],
  };
}
