import { volumeCheck } from "../../shared/doctor/check-volume.ts";
import { tellingChecks } from "../../shared/doctor/check-telling.ts";
import { asDormouseError } from "../../shared/errors.ts";
import { sinkCheck } from "../../shared/doctor/check-sink.ts";
import { rightsCheck } from "../../shared/doctor/check-rights.ts";
import { dropExpired } from "../../shared/postgres/databases/drop-expired.ts";
import { runChecks } from "../../shared/doctor/run-checks.ts";
import { removeSource } from "./workloads/restart-workloads.ts";
import type { RestoreDependencies } from "./restoring.ts";
import { databaseCheck } from "../../shared/doctor/check-database.ts";
import { connectionSettings } from "../../shared/postgres/session/connection-settings.ts";
import { createAuthorizer, createEventAuthorizer } from "../../shared/http/authorize-by.ts";
import type { ProcessContext } from "../../shared/function/run-function.ts";
import type { RestoreConfig } from "./config.ts";
import { openRestoreDir, theOne, wire, type Wired } from "./dependencies.ts";
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
  const { depsOf, call, dispose } = wired;
  const deps = depsOf(theOne(config));
  const { log, events } = deps;
  const { runs, awake } = runsInPod(config, {
    store: deps.runs,
    log,
    eventsOf: () => events,
  });
  const handler = restoreHandler(deps, wake);
  const checks = listChecks(config, wired, surroundings.searchPath);
  const leftUnfinished = () => deps.runs.unfinished("restore", deps.settings.database);

  /** What a process that is gone left unfinished; what this one has under way is left alone. */
  async function wake(eventSource: string): Promise<void> {
    const unfinished = await leftUnfinished();
    for (const run of unfinished) runs.resumeRun(run, handler.work);
    if (unfinished.length > 0) return;
    if (deps.wakeUpSource.sends(eventSource)) await stopBeingWoken(deps);
    await dropWhatIsOver(deps);
  }

  return {
    handler: { ...handler, runChecks: (signal) => runChecks(checks, signal) },
    runs,
    awake,
    authorize: await createAuthorizer(config, call),
    authorizeEvent: createEventAuthorizer(config, call),
    interrupted: await leftUnfinished(),
    dispose,
  };
}

function listChecks(config: RestoreConfig, { depsOf, call }: Wired, searchPath: string) {
  const deps = depsOf(theOne(config));
  const { workloads, settings } = deps;
  const place = { binDir: config.PG_BIN_DIR, searchPath };
  const database = theOne(config);
  const rights = [
    ...rightsToRestore(settings.workloads, config.K_SERVICE),
    ...(asksTheCluster(config) ? REVIEWS : []),
  ];
  return [
    volumeCheck(config.BACKUP_DIR),
    restoreDirCheck(openRestoreDir(config)),
    databaseCheck(connectionSettings(config), { database, allowIncomplete: new Set() }, place),
    ...mirrorChecks(config, "restore"),
    restoreCheck(deps),
    leftoversCheck(deps),
    workloadsCheck(workloads, settings.workloads),
    ...(rights.length === 0 ? [] : [rightsCheck(call, rights)]),
    sendersCheck(config),
    ...openChecks(config),
    ...tellingChecks(config, deps.runs, "restore"),
    ...(config.K_SINK === undefined ? [] : [sinkCheck(config)]),
  ];
}

/** Its source could not be removed when the run ended. While another run works on the database, the next ping does. */
async function stopBeingWoken(deps: RestoreDependencies): Promise<void> {
  const { database } = deps.settings;
  const signal = AbortSignal.timeout(REMOVE_WITHIN_MS);
  await deps.lock
    .hold({ database }, signal, () => removeSource(deps, signal))
    .catch((error: unknown) => {
      deps.log.info("ping source not checked", { code: asDormouseError(error).code });
    });
}

/** A backup does so as well, if its role may. While another run works on the database, the next ping does. */
async function dropWhatIsOver(deps: RestoreDependencies): Promise<void> {
  const { database } = deps.settings;
  const signal = AbortSignal.timeout(DROP_WITHIN_MS);
  const look = async () => {
    if ((await deps.expired.find(database, signal)).over.length === 0) return;
    await deps.lock.hold({ database }, signal, () => dropExpired(deps, database, signal));
  };
  await look().catch((error: unknown) => {
    deps.log.info("expired databases not checked", { code: asDormouseError(error).code });
  });
}

const DROP_WITHIN_MS = 120_000;
