import { tmpdir } from "node:os";
import type { CopiedArchives } from "../../shared/catalog/archives/archive-file.ts";
import { mergedArchives } from "../../shared/catalog/archives/merged-archives.ts";
import { openBucketCatalog } from "../../shared/catalog/bucket/open-bucket.ts";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { readerKeys, writerKeys, type ReaderKeys } from "../../shared/catalog/encryption/protection.ts";
import { mergedCatalog } from "../../shared/catalog/merged-catalog.ts";
import { knownServer } from "../../shared/catalog/legacy/decide-database.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { trusting } from "../../shared/catalog/trusted-listing.ts";
import type { ProcessContext } from "../../shared/function/run-function.ts";
import { clusterCaller, type CallCluster } from "../../shared/kubernetes/client.ts";
import { databaseChoice, type DatabaseChoice } from "../../shared/config/database-choice.ts";
import { restoreServer } from "../../shared/postgres/databases/restore-server.ts";
import { connectionSettings } from "../../shared/postgres/session/connection-settings.ts";
import { openLibpq } from "../../shared/postgres/session/libpq.ts";
import type { KeepPolicy } from "../../shared/retention/retention-policy.ts";
import { backupDependencies } from "../../shared/backup/taking-backup.ts";
import { ALL_DATABASES } from "../../shared/run/run.ts";
import type { RestoreConfig } from "./config.ts";
import type { RestoreDependencies, RestoreSettings } from "./restoring.ts";
import { haveInCommon, NO_WORKLOADS, workloadsOf } from "./workloads/workload-choice.ts";
import { createWakeUpSource } from "./workloads/wake-up-source.ts";
import { kubernetesWorkloads } from "./workloads/workloads.ts";

const LOCK_WAIT_MS = 60_000;

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

/** What the whole service has in common. */
export type Wired = {
  /** What is about one database, as if it had a function of its own. */
  readonly depsOf: (database: string) => RestoreDependencies;
  readonly choice: DatabaseChoice;
  readonly call: CallCluster;
  readonly dispose: () => Promise<void>;
};

/** Joins adapters to what a restore needs. */
export async function wire(config: RestoreConfig, surroundings: ProcessContext): Promise<Wired> {
  const access = await readerKeys(config);
  const writing = await writerKeys(config);
  const keys = { ...writing, judge: writing.judge ?? access.judge };
  const connection = connectionSettings(config);
  const libpq = await openLibpq(connection);
  const call = clusterCaller({ kubeconfig: config.KUBECONFIG });
  const loadOptions = readLoadOptions(config);
  const dumpOptions = { ...loadOptions, lockWaitMs: LOCK_WAIT_MS };
  const backupOf = backupDependencies("restore", config, surroundings, { libpq, dumpOptions, keys });
  const backup = backupOf(ALL_DATABASES);
  const known = knownServer(config);
  const volume = trusting(volumeCatalog(config.BACKUP_DIR, undefined, { known }), access.judge);
  const bucket = openBucketCatalog(config);
  const mirror = bucket && trusting(bucket, access.judge);
  const choice = databaseChoice(config);
  const { APP_WORKLOADS: workloads = NO_WORKLOADS } = config;
  const common = {
    choice,
    volume,
    // Only asked how far it is: a safety backup is sent by the next run of the backup function.
    mirroring: mirror && { mirror, keep: KEEPS_NOTHING, timeoutMs: 0 },
    // What one of them has forged hides nothing of the other.
    merged: mirror === undefined ? volume : mergedCatalog(volume, mirror),
    files: openFiles(config, mirror, access),
    server: restoreServer(connection, libpq, loadOptions, backup.toolPlace),
    workloads: kubernetesWorkloads(call),
    wakeUpSource: createWakeUpSource(config, call),
  };
  const settings = readSettings(config);
  const depsOf = (database: string) => ({
    ...backupOf(database),
    ...common,
    settings: {
      ...settings,
      database,
      workloads: workloadsOf(workloads, database),
      shares: (other: string) => choice.includes(other) && haveInCommon(workloads, database, other),
    },
  });
  return { depsOf, choice, call, dispose: () => libpq[Symbol.asyncDispose]() };
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

function readSettings(config: RestoreConfig): Omit<RestoreSettings, "database" | "workloads" | "shares"> {
  return {
    suspectDropPercent: config.SUSPECT_DROP_PERCENT,
    undoForMs: config.UNDO_HOURS * 3_600_000,
    stopLimitMs: config.WORKLOAD_STOP_SECONDS * 1_000,
    readyLimitMs: config.WORKLOAD_READY_SECONDS * 1_000,
    busyForMs: config.BUSY_WAIT_SECONDS * 1_000,
    rehearsalJobs: config.REHEARSAL_JOBS,
    minIntervalMs: config.MIN_INTERVAL_MINUTES * 60_000,
    serverDiskBytes: config.SERVER_DISK_GIB === undefined ? undefined : config.SERVER_DISK_GIB * 2 ** 30,
  };
}

function readLoadOptions(config: RestoreConfig) {
  const deadlineMs = config.LOAD_TIMEOUT_MINUTES * 60_000;
  return {
    deadlineMs,
    stallMs: deadlineMs,
    jobs: config.RESTORE_JOBS,
    secrets: [config.POSTGRESQL_PASSWORD],
  };
}
