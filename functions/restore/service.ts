import { ALL_DATABASES, isUnfinished, type RunContext } from "../../shared/run/run.ts";
import { retiredDatabases } from "../../shared/backup/retired-databases.ts";
import { volumeCheck } from "../../shared/doctor/check-volume.ts";
import { notificationChecks } from "../../shared/doctor/check-notifications.ts";
import { asDormouseError } from "../../shared/errors.ts";
import { sinkCheck } from "../../shared/doctor/check-sink.ts";
import { rightsCheck } from "../../shared/doctor/check-rights.ts";
import { dropExpired } from "../../shared/postgres/databases/drop-expired.ts";
import { runChecks } from "../../shared/doctor/run-checks.ts";
import { removeSource } from "./workloads/restart-workloads.ts";
import type { RestoreDependencies } from "./restoring.ts";
import { eachDatabase } from "../../shared/doctor/each-database.ts";
import { databaseCheck } from "../../shared/doctor/check-database.ts";
import { createAuthorizer, createEventAuthorizer } from "../../shared/http/authorize-by.ts";
import type { ProcessContext } from "../../shared/function/run-function.ts";
import type { RestoreConfig } from "./config.ts";
import { openRestoreDir, wire, type Wired } from "./dependencies.ts";
import { keptDatabases } from "./databases/kept-databases.ts";
import { rehearseEach } from "./rehearsal/rehearse-each.ts";
import { backedUp } from "./databases/which-database.ts";
import { NO_WORKLOADS, workloadsOf } from "./workloads/workload-choice.ts";
import { restoreHandler } from "./handler.ts";
import { asksTheCluster } from "../../shared/config/auth-config.ts";
import { mirrorChecks } from "../../shared/doctor/check-mirror.ts";
import { restoreDirCheck, leftoversCheck, restoreCheck } from "./doctor/check-restore.ts";
import { runsInPod, type Service } from "../../shared/function/service.ts";
import { rightsToRestore, workloadsCheck } from "./doctor/check-workloads.ts";
import { sendersCheck, openChecks, REVIEWS } from "../../shared/doctor/check-callers.ts";

const REMOVE_WITHIN_MS = 10_000;

/** What the restore function answers, and what it does when it is woken. */
export async function restoreService(config: RestoreConfig, surroundings: ProcessContext): Promise<Service> {
  const wired = await wire(config, surroundings);
  const { depsOf, choice, call, dispose } = wired;
  const deps = depsOf(ALL_DATABASES);
  const { log } = deps;
  const { runs, awake } = runsInPod(config, {
    store: deps.runs,
    log,
    eventsOf: (database) => depsOf(database).events,
  });
  const rehearseAll = (context: RunContext) => {
    const retired = retiredDatabases(config.BACKUP_DIR);
    return rehearseEach({ ...deps, retired, inPod: runs, work: handler.work }, context);
  };
  const handler = restoreHandler({ depsOf, choice, rehearseAll, wake });
  const leftUnfinished = async () =>
    (await deps.runs.all("restore")).filter((run) => isUnfinished(run) && handler.covers(run.database));

  /** What a process that is gone left unfinished; what this one has under way is left alone. */
  async function wake(eventSource: string): Promise<void> {
    const unfinished = await leftUnfinished();
    for (const run of unfinished) runs.resumeRun(run, handler.work);
    if (unfinished.length > 0) return;
    if (deps.wakeUpSource.sends(eventSource)) await stopBeingWoken(deps);
    await dropWhatIsOver(deps);
  }

  return {
    handler: {
      ...handler,
      runChecks: (signal) => runChecks(listChecks(config, wired, surroundings.searchPath), signal),
    },
    runs,
    awake,
    authorize: await createAuthorizer(config, call),
    authorizeEvent: createEventAuthorizer(config, call),
    interrupted: await leftUnfinished(),
    dispose,
  };
}

function listChecks(config: RestoreConfig, { depsOf, choice, call }: Wired, searchPath: string) {
  const { workloads, connection, runs } = depsOf(ALL_DATABASES);
  const server = { connection, choice };
  const place = { binDir: config.PG_BIN_DIR, searchPath };
  const { APP_WORKLOADS: stopped = NO_WORKLOADS } = config;
  const rights = [
    ...rightsToRestore(stopped.all, config.K_SERVICE),
    ...(asksTheCluster(config) ? REVIEWS : []),
  ];
  return [
    volumeCheck(config.BACKUP_DIR),
    restoreDirCheck(openRestoreDir(config)),
    eachDatabase(server, "database", (database) =>
      databaseCheck(connection, { database, allowIncomplete: new Set() }, place),
    ),
    ...mirrorChecks(config, "restore"),
    eachDatabase(server, "restore", (database) => restoreCheck(depsOf(database))),
    eachDatabase(server, "leftovers", (database) => leftoversCheck(depsOf(database))),
    stopped.byDatabase === undefined
      ? workloadsCheck(workloads, stopped.all)
      : eachDatabase(server, "workloads", (database) =>
          workloadsCheck(workloads, workloadsOf(stopped, database)),
        ),
    ...(rights.length === 0 ? [] : [rightsCheck(call, rights)]),
    sendersCheck(config),
    ...openChecks(config),
    ...notificationChecks(config, runs, "restore"),
    ...(config.K_SINK === undefined ? [] : [sinkCheck(config)]),
  ];
}

/** Its source could not be removed when the run ended. */
async function stopBeingWoken(deps: RestoreDependencies): Promise<void> {
  const signal = AbortSignal.timeout(REMOVE_WITHIN_MS);
  await deps.lock
    .hold({ database: ALL_DATABASES }, signal, (held) => removeSource(deps, held, signal))
    .catch((error: unknown) => {
      deps.log.info("ping source not checked", { code: asDormouseError(error).code });
    });
}

/** A backup does so as well, if its role may. While another run works on the database, the next ping does. */
async function dropWhatIsOver(deps: RestoreDependencies): Promise<void> {
  const { choice, server, expired, lock, log } = deps;
  const signal = AbortSignal.timeout(DROP_WITHIN_MS);
  const unlessFailed = (looking: Promise<void>) =>
    looking.catch((error: unknown) => {
      log.info("expired databases not checked", { code: asDormouseError(error).code });
    });
  const dropOf = async (database: string) => {
    if ((await expired.find(database, signal)).over.length === 0) return;
    await lock.hold({ database }, signal, () => dropExpired(deps, database, signal));
  };
  const dropAll = async () => {
    const known = await backedUp(deps).catch(() => []);
    const kept = keptDatabases(await server.readMarks(signal), choice, known);
    for (const database of new Set(kept.map(({ live }) => live))) await unlessFailed(dropOf(database));
  };
  await unlessFailed(dropAll());
}

const DROP_WITHIN_MS = 120_000;
