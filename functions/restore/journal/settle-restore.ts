import { asDormouseError } from "../../../shared/errors.ts";
import { EFFECTS } from "../plan/strategy.ts";
import { bestEffort, readJournal, type Restoring, writeJournal } from "../restoring.ts";
import { finishSwap, restart } from "../swap-databases.ts";
import { removeWakeUp, startWorkloads } from "../workloads/restart-workloads.ts";
import { nextStep, ownDatabase, type NextStep } from "./journal.ts";
import { dropMadeRoles, endRoles } from "./roles-of-run.ts";
import { NOTHING_STOPPED, readResult, type RestoreResult, type Stopped } from "./restore-result.ts";

/** What the journal and the server together ask for. */
export async function stepAfter(restoring: Restoring, mayGoOn: boolean): Promise<NextStep> {
  const { run, signal, server } = restoring;
  const journal = readJournal(restoring);
  const { database, loaded, kept } = journal;
  const names = [database, loaded, ...(kept === undefined ? [] : [kept])];
  const there = await server.readMarks(signal, names);
  const underWay = [...there.values()].some((mark) => mark.underWay === run.id);
  const found = {
    underWay,
    live: there.has(database),
    loaded: there.has(loaded),
    kept: kept !== undefined && there.has(kept),
    replaced: underWay && (await hasReplaced(restoring)),
  };
  return nextStep(journal, found, mayGoOn);
}

/** Whether an in-place restore was committed. A psql whose process is gone may still be about to do so: it is ended first. */
async function hasReplaced(restoring: Restoring): Promise<boolean> {
  const { server, held, signal } = restoring;
  const { strategy, phase, database, transaction } = readJournal(restoring);
  if (!EFFECTS[strategy].replaces || phase !== "swapping" || transaction === undefined) return false;
  await held.isolate(database, undefined);
  return server.hasCommitted(transaction, signal);
}

/**
 * Puts things in order for good: what was swapped is finished, and answered; everything else is taken back. Where the
 * server says of no database that the run is under way, nothing is touched; where it can say nothing, since the live one
 * is gone, the application has its replicas back.
 */
export async function settle(restoring: Restoring): Promise<RestoreResult | undefined> {
  const next = await stepAfter(restoring, false);
  const tolerant = bestEffort(restoring);
  if (next === "finish") return ended(restoring, await finish(tolerant));
  if (next === "roll-back") {
    await rollBack(tolerant);
    await dropMadeRoles(tolerant);
    return undefined;
  }
  // Without a database nothing becomes ready, and the restore that is to make one waits for this lock.
  if (next === "start") await startWorkloads(tolerant, 0);
  await removeWakeUp(tolerant);
  if (next === "record-end") return ended(restoring, NOTHING_STOPPED);
  await dropMadeRoles(tolerant);
  return undefined;
}

async function ended(restoring: Restoring, stopped: Stopped): Promise<RestoreResult> {
  await endRoles(bestEffort(restoring));
  return readResult(restoring, stopped);
}

async function finish(restoring: Restoring): Promise<Stopped> {
  const { swaps, replaces } = EFFECTS[readJournal(restoring).strategy];
  if (swaps) return finishSwap(restoring);
  await resetLimit(restoring);
  if (replaces) await analyze(restoring);
  await dropLoaded(restoring);
  return restart(restoring);
}

/** Plans without statistics are slow, and autovacuum makes them sooner or later: that is worth no failure. */
async function analyze(restoring: Restoring): Promise<void> {
  const { server, log, signal } = restoring;
  const { database } = readJournal(restoring);
  await server.analyze(database, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    log.warn("database not analyzed", { database, error: String(error) });
  });
}

/** The application comes back first, then what was loaded is dropped. Every line may be taken twice. */
async function rollBack(restoring: Restoring): Promise<void> {
  const { held, run, step } = restoring;
  const { database, loaded } = readJournal(restoring);
  await writeJournal(restoring, { phase: "rolling-back" });
  await held.reopen(database);
  await resetLimit(restoring);
  await startWorkloads(restoring);
  await removeWakeUp(restoring);
  // Last: until then the run is under way.
  await dropLoaded(restoring);
  await held.release([database, loaded], run.id);
  await step("rolledback", { database });
}

/** What the server does not call ours stays, and is reported. */
async function dropLoaded(restoring: Restoring): Promise<void> {
  const { server, log, run, signal } = restoring;
  const own = ownDatabase(readJournal(restoring), run.id);
  try {
    if (own !== undefined) await server.drop(own, signal);
  } catch (error) {
    const { code, message, hint } = asDormouseError(error);
    if (code !== "database_not_ours") throw error;
    log.warn("database not dropped", { run: run.id, error: message, hint });
  }
}

/** As it was before an in-place restore lowered it. */
export async function resetLimit(restoring: Restoring): Promise<void> {
  const { database, connectionLimit } = readJournal(restoring);
  if (connectionLimit !== undefined) await restoring.held.limitConnections(database, connectionLimit);
}
