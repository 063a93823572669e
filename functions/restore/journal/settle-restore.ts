import type { HeldDatabase } from "../../../shared/postgres/databases/held-database.ts";
import { nextStep, ownDatabase, type NextStep, type RestoreJournal } from "./journal.ts";
import type { RestoreResult } from "./restore-result.ts";
import { asDormouseError } from "../../../shared/errors.ts";
import { finishExchange, restart, removeWakeUp, type Swapped } from "../swap-databases.ts";
import type { RestoreDependencies } from "../restore-dependencies.ts";
import { startWorkloads } from "../workloads/restart-workloads.ts";
import { EFFECTS } from "../plan/strategy.ts";
import type { JournaledRun } from "./journaled-run.ts";
import { readResult } from "./restore-result-of.ts";

/** What the journal and the server together ask for. */
export async function stepAfter(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
  mayGoOn: boolean,
): Promise<NextStep> {
  const journal = saga.journal();
  const { database, loaded, kept } = journal;
  const names = [database, loaded, ...(kept === undefined ? [] : [kept])];
  const { run, signal } = saga.context;
  const there = await deps.server.look(names, signal);
  const underWay = [...there.values()].some((mark) => mark.underWay === run.id);
  const found = {
    underWay,
    live: there.has(database),
    loaded: there.has(loaded),
    kept: kept !== undefined && there.has(kept),
    replaced: underWay && (await hasReplaced(deps, saga, held)),
  };
  return nextStep(journal, found, mayGoOn);
}

/** Whether an in-place restore was committed. A psql whose process is gone may still be about to do so: it is ended first. */
async function hasReplaced(
  { server }: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
): Promise<boolean> {
  const { strategy, phase, database, transaction } = saga.journal();
  if (!EFFECTS[strategy].replaces || phase !== "swapping" || transaction === undefined) return false;
  await held.isolate(database, undefined);
  return server.hasCommitted(transaction, saga.context.signal);
}

/**
 * Puts things in order for good: what was swapped is finished, and answered; everything else is taken back. Where the
 * server says of no database that the run is under way, nothing is touched; where it can say nothing, since the live one
 * is gone, the application has its replicas back.
 */
export async function settle(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
): Promise<RestoreResult | undefined> {
  const next = await stepAfter(deps, saga, held, false);
  const bestEffort = saga.bestEffort(deps.log);
  if (next === "finish") return readResult(saga, await finish(deps, bestEffort, held));
  if (next === "roll-back") {
    await rollBack(deps, bestEffort, held);
    return undefined;
  }
  // Without a database nothing becomes ready, and the restore that is to make one waits for this lock.
  if (next === "start") await startWorkloads(deps, bestEffort, 0);
  await removeWakeUp(deps, bestEffort);
  return next === "tell" ? readResult(saga, { downtimeMs: undefined, workloads: [] }) : undefined;
}

async function finish(deps: RestoreDependencies, saga: JournaledRun, held: HeldDatabase): Promise<Swapped> {
  const { swaps, replaces } = EFFECTS[saga.journal().strategy];
  if (swaps) return finishExchange(deps, saga, held);
  await resetLimit(saga.journal(), held);
  if (replaces) await analyze(deps, saga);
  await dropLoaded(deps, saga);
  return restart(deps, saga, held);
}

/** Plans without statistics are slow, and autovacuum makes them sooner or later: that is worth no failure. */
async function analyze({ server, log }: RestoreDependencies, saga: JournaledRun): Promise<void> {
  const { database } = saga.journal();
  await server.analyze(database, saga.context.signal).catch((error: unknown) => {
    saga.context.signal.throwIfAborted();
    log.warn("database not analyzed", { database, error: String(error) });
  });
}

/** The application comes back first, then what was loaded is dropped. Every line may be taken twice. */
async function rollBack(deps: RestoreDependencies, saga: JournaledRun, held: HeldDatabase): Promise<void> {
  const { database, loaded } = saga.journal();
  const { run, step } = saga.context;
  await saga.write({ phase: "rolling-back" });
  await held.reopen(database);
  await resetLimit(saga.journal(), held);
  await startWorkloads(deps, saga);
  await removeWakeUp(deps, saga);
  // Last: until then the run is under way.
  await dropLoaded(deps, saga);
  await held.release([database, loaded], run.id);
  await step("rolledback", { database });
}

/** What the server does not call ours stays, and is told. */
async function dropLoaded(deps: RestoreDependencies, saga: JournaledRun): Promise<void> {
  const { run, signal } = saga.context;
  const own = ownDatabase(saga.journal(), run.id);
  try {
    if (own !== undefined) await deps.server.drop(own, signal);
  } catch (error) {
    const { code, message, hint } = asDormouseError(error);
    if (code !== "database_not_ours") throw error;
    deps.log.warn("database not dropped", { run: run.id, error: message, hint });
  }
}

/** As it was before an in-place restore lowered it. */
export async function resetLimit(
  { database, connectionLimit }: RestoreJournal,
  held: HeldDatabase,
): Promise<void> {
  if (connectionLimit !== undefined) await held.limitConnections(database, connectionLimit);
}
