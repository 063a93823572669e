import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { DatabaseLock, HeldDatabase } from "../../shared/backup/database-lock.ts";
import type { RunContext } from "../../shared/backup/run.ts";
import type { ResumeSource } from "../../shared/backup/workload.ts";
import { archiveFiles } from "../../shared/catalog/archive-files.ts";
import { openVolume } from "../../shared/catalog/open-volume.ts";
import { runFiles } from "../../shared/catalog/run-files.ts";
import { volumeCatalog } from "../../shared/catalog/volume-catalog.ts";
import { DormouseError } from "../../shared/errors.ts";
import { eventSink } from "../../shared/events/event-sink.ts";
import { jsonLog } from "../../shared/log.ts";
import { clusterCaller, type CallCluster } from "../../shared/kubernetes/client.ts";
import { knativeResumeSource } from "../../shared/kubernetes/resume-source.ts";
import { kubernetesWorkloads } from "../../shared/kubernetes/workloads.ts";
import type { BackupDependencies } from "../../shared/operations/backup-request.ts";
import type { RestoreDependencies } from "../../shared/operations/restore-dependencies.ts";
import { takeBackup } from "../../shared/operations/take-backup.ts";
import { advisoryLock } from "../../shared/postgres/advisory-lock.ts";
import { connectionSettings } from "../../shared/postgres/connection-settings.ts";
import { dumpToolFinder } from "../../shared/postgres/dump-tool.ts";
import { openLibpq, type Libpq } from "../../shared/postgres/libpq.ts";
import { databaseInspector } from "../../shared/postgres/preflight.ts";
import { restoreServer } from "../../shared/postgres/restore-server.ts";
import { readConfig } from "../../shared/runtime/config.ts";
import { runsOf } from "../../shared/runtime/runs.ts";
import { serve, startFunction } from "../../shared/runtime/serve.ts";
import { version } from "../../shared/version.ts";
import { authorizeOf } from "../authorize.ts";
import { restoreConfig, type RestoreConfig } from "./config.ts";
import { restoreHandler } from "./handler.ts";

const now = () => new Date();
const log = jsonLog((line) => process.stdout.write(line), now, { function: "restore" });

async function main(): Promise<void> {
  const config = readConfig(restoreConfig, process.env, (path) => readFileSync(path, "utf8"));
  const isInCluster = process.env["KUBERNETES_SERVICE_HOST"] !== undefined || config.KUBECONFIG !== undefined;
  if (!isInCluster && config.APP_WORKLOADS !== undefined) throw noCluster();
  await openVolume(config.BACKUP_DIR);
  const libpq = await openLibpq(connectionSettings(config));
  const call = clusterCaller({ kubeconfig: config.KUBECONFIG });
  const deps = dependenciesOf(config, libpq, call);
  const runs = runsOf({ store: deps.runs, log, now });
  const handler = restoreHandler(deps, wake);

  /** What a process that is gone left unfinished; what this one has under way is left alone. */
  async function wake(): Promise<void> {
    for (const run of await deps.runs.unfinished("restore")) runs.takeUp(run, handler.work);
  }

  await serve({
    handler,
    runs,
    log,
    port: config.PORT,
    shutdownGraceMs: config.SHUTDOWN_GRACE_SECONDS * 1000,
    version,
    authorize: await authorizeOf(config, call),
    interrupted: await deps.runs.unfinished("restore"),
    dispose: () => libpq[Symbol.asyncDispose](),
  });
}

function dependenciesOf(config: RestoreConfig, libpq: Libpq, call: CallCluster): RestoreDependencies {
  const connection = connectionSettings(config);
  const place = { binDir: config.PG_BIN_DIR, searchPath: process.env["PATH"] ?? "" };
  const seconds = (value: number) => value * 1000;
  const backupDeps = backupDependencies(config, libpq);
  return {
    ...backupDeps,
    settings: {
      database: config.POSTGRESQL_DATABASE,
      workloads: config.APP_WORKLOADS ?? [],
      undoForMs: seconds(config.UNDO_HOURS * 3600),
      stopLimitMs: seconds(config.WORKLOAD_STOP_SECONDS),
      readyLimitMs: seconds(config.WORKLOAD_READY_SECONDS),
      settleForMs: seconds(config.SETTLE_SECONDS),
    },
    files: archiveFiles(config.BACKUP_DIR),
    server: restoreServer(connection, libpq, loadOptions(config), place),
    workloads: kubernetesWorkloads(call),
    resumeSource: config.K_SERVICE === undefined ? NOT_WOKEN : knativeResumeSource(call, config.K_SERVICE),
    safetyBackup: (held, context) => takeSafetyBackup(backupDeps, config, held, context),
  };
}

/** Outside of Knative nothing scales this process to zero, and its own restart takes up what it left. */
const NOT_WOKEN: ResumeSource = {
  check: async () => ({}),
  ensure: async () => ({}),
  remove: async () => ({}),
};

function backupDependencies(config: RestoreConfig, libpq: Libpq): BackupDependencies {
  const connection = connectionSettings(config);
  const place = { binDir: config.PG_BIN_DIR, searchPath: process.env["PATH"] ?? "" };
  const source = `/dormouse/restore/${encodeURIComponent(config.POSTGRESQL_DATABASE)}`;
  return {
    catalog: volumeCatalog(config.BACKUP_DIR),
    runs: runFiles(config.BACKUP_DIR, log, now),
    lock: advisoryLock(connection),
    inspect: databaseInspector(connection),
    findDumpTool: dumpToolFinder(libpq, { ...loadOptions(config), lockWaitMs: LOCK_WAIT_MS }, place),
    events: eventSink(config.K_SINK, config.K_CE_OVERRIDES, source, now),
    log,
    now,
    monotonicMs: () => performance.now(),
    pause: (ms, signal) => pause(ms, undefined, { signal }),
    version,
  };
}

const LOCK_WAIT_MS = 60_000;

/** By the lock that the restore holds already, and found again by the run's name when that is taken up. */
function takeSafetyBackup(
  deps: BackupDependencies,
  config: RestoreConfig,
  held: HeldDatabase,
  context: RunContext,
) {
  const lock: DatabaseLock = { hold: async (_database, _signal, work) => work(held) };
  const request = {
    database: config.POSTGRESQL_DATABASE,
    label: `before ${context.run.id}`,
    pin: "safety backup of a restore in place",
    allowIncomplete: new Set<never>(),
    retryForMs: 0,
    waitsForLock: false,
  };
  return takeBackup({ ...deps, lock }, request, context);
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

function noCluster(): DormouseError {
  return new DormouseError(
    "configuration_invalid",
    "APP_WORKLOADS is set, but there is no cluster to stop them in",
    {
      hint: "unset it outside of Kubernetes, or name a cluster in KUBECONFIG",
    },
  );
}

await startFunction(log, main);
