import type { HeldDatabase } from "../backup/database-lock.ts";
import { nextStep, type NextStep, type RestoreJournal } from "../backup/journal.ts";
import type { RestoreResult } from "../backup/restore-result.ts";
import { finishExchange, restart, stopWaking, type Exchanged } from "./exchange-databases.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import { startWorkloads } from "./restart-workloads.ts";
import type { Saga } from "./saga.ts";
import { resultOf } from "./restore-result-of.ts";

/** What the journal and the server together ask for. */
export async function stepAfter(
  deps: RestoreDependencies,
  saga: Saga,
  held: HeldDatabase,
  mayGoOn: boolean,
): Promise<NextStep> {
  const journal = saga.journal();
  const { database, loaded, kept } = journal;
  const names = [database, loaded, ...(kept === undefined ? [] : [kept])];
  const there = await deps.server.existing(names, saga.context.signal);
  const found = {
    live: there.has(database),
    loaded: there.has(loaded),
    kept: kept !== undefined && there.has(kept),
    replaced: there.has(database) && (await hasReplaced(deps, saga, held)),
  };
  return nextStep(journal, found, mayGoOn);
}

/** Whether an in-place restore was committed. A psql whose process is gone may still be about to do so: it is ended first. */
async function hasReplaced(
  { server }: RestoreDependencies,
  saga: Saga,
  held: HeldDatabase,
): Promise<boolean> {
  const { strategy, phase, database, transaction } = saga.journal();
  if (strategy !== "in-place" || phase !== "swapping" || transaction === undefined) return false;
  await held.isolate(database, undefined);
  return server.hasCommitted(transaction, saga.context.signal);
}

/** Puts things in order for good: what was exchanged is finished, and answered; everything else is taken back. */
export async function settle(
  deps: RestoreDependencies,
  saga: Saga,
  held: HeldDatabase,
): Promise<RestoreResult | undefined> {
  const next = await stepAfter(deps, saga, held, false);
  const tolerant = saga.tolerant(deps.log);
  if (next === "finish") return resultOf(deps, saga, await finish(deps, tolerant, held));
  await rollBack(deps, tolerant, held);
  return undefined;
}

async function finish(deps: RestoreDependencies, saga: Saga, held: HeldDatabase): Promise<Exchanged> {
  const { strategy } = saga.journal();
  if (strategy === "swap" || strategy === "undo") return finishExchange(deps, saga, held);
  await resetLimit(saga.journal(), held);
  if (strategy === "in-place") await analyze(deps, saga);
  return restart(deps, saga);
}

/** Plans without statistics are slow, and autovacuum makes them sooner or later: that is worth no failure. */
async function analyze({ server, log }: RestoreDependencies, saga: Saga): Promise<void> {
  const { database } = saga.journal();
  await server.analyze(database, saga.context.signal).catch((error: unknown) => {
    saga.context.signal.throwIfAborted();
    log.warn("database not analyzed", { database, error: String(error) });
  });
}

/** The application comes back first, then what was loaded is dropped. Every line may be taken twice. */
async function rollBack(deps: RestoreDependencies, saga: Saga, held: HeldDatabase): Promise<void> {
  const { strategy, database, loaded } = saga.journal();
  await saga.write({ phase: "rolling-back" });
  await held.reopen(database);
  await resetLimit(saga.journal(), held);
  await startWorkloads(deps, saga);
  await stopWaking(deps, saga);
  const isOurs = strategy === "swap" || strategy === "rehearse" || strategy === "beside";
  if (isOurs) await deps.server.drop(loaded, saga.context.signal);
  await saga.context.step("rolledback", { database });
}

/** As it was before an in-place restore lowered it. */
export async function resetLimit(
  { database, connectionLimit }: RestoreJournal,
  held: HeldDatabase,
): Promise<void> {
  if (connectionLimit !== undefined) await held.limitConnections(database, connectionLimit);
}
