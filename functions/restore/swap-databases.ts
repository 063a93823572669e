import type { HeldDatabase } from "../../shared/postgres/databases/held-database.ts";
import type { RestartedWorkload } from "./journal/restore-result.ts";
import { removeSource } from "./journal/remove-source.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import { downSince, startWorkloads, stopWorkloads } from "./workloads/restart-workloads.ts";
import { EFFECTS } from "./plan/strategy.ts";
import type { JournaledRun } from "./journal/journaled-run.ts";

/** What came of it, for the result of the run. */
export type Swapped = {
  readonly downtimeMs: number | undefined;
  readonly workloads: readonly RestartedWorkload[];
};

/** Stop, fence, swap, start. From here on only the journal knows what the application needs back. */
export async function swapDatabases(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
): Promise<Swapped> {
  const { run, signal, step } = saga.context;
  const { database, loaded, kept } = saga.journal();
  // Both, so that whichever of them is dropped meanwhile, the other one tells that something was stopped.
  for (const name of [loaded, database]) await held.claim(name, run.id);
  await ensureWakeUp(deps, saga);
  await stopWorkloads(deps, saga);
  signal.throwIfAborted();

  await saga.write({ phase: "swapping", downSince: downSince(deps, saga) });
  const ended = await held.fence(database);
  await held.fence(loaded);
  await step("fenced", { sessionsEnded: ended });
  // Not asked whether to stop: the swap takes less time than opening again, and a lost lock fails it.
  const keepMs = deps.settings.undoForMs;
  await held.swapNames({ live: database, loaded, kept, run: run.id, keepMs });
  return finishExchange(deps, saga, held);
}

/** Before the first step that must not stay half done. */
export async function ensureWakeUp({ wakeUpSource }: RestoreDependencies, saga: JournaledRun): Promise<void> {
  const { run, signal, step } = saga.context;
  const { missing } = await wakeUpSource.ensure(run.id, signal);
  if (missing !== undefined) await step("wakeup_unavailable", { why: missing });
}

/** After the swap, however this process learned of it. */
export async function finishExchange(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
): Promise<Swapped> {
  const { database, kept, strategy, source } = saga.journal();
  if (!EFFECTS[strategy].needsBackup) await forgetKept(deps, source);
  const until = kept === undefined ? undefined : await keptUntil(deps, kept, saga.context.signal);
  if (kept === undefined || until === undefined) await saga.write({ phase: "starting" });
  else await saga.write({ phase: "starting", keptUntil: until.toISOString() }, { database: kept, until });
  await held.reopen(database);
  await saga.context.step("swapped", { kept });
  return restart(deps, saga, held);
}

async function keptUntil(
  { server }: RestoreDependencies,
  kept: string,
  signal: AbortSignal,
): Promise<Date | undefined> {
  return (await server.look([kept], signal)).get(kept)?.kept?.until;
}

/** What an undo has made live again is kept no longer. */
async function forgetKept({ runs, log }: RestoreDependencies, undone: string): Promise<void> {
  try {
    const record = await runs.find(undone);
    if (record?.kept !== undefined) await runs.update({ ...record, kept: undefined });
  } catch (error) {
    log.warn("record of what was undone not written", { run: undone, error: String(error) });
  }
}

/** The end of every saga that stopped something: start, measure, and nothing is under way any more. */
export async function restart(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
): Promise<Swapped> {
  const workloads = await startWorkloads(deps, saga);
  const { database, downSince: since } = saga.journal();
  await held.release([database], saga.context.run.id);
  const downtimeMs = since === undefined ? undefined : deps.now().getTime() - Date.parse(since);
  await saga.write({ phase: "ended" });
  await removeWakeUp(deps, saga);
  return { downtimeMs, workloads };
}

/** While the record does not tell that the run has ended, a process must be woken to record it. */
export async function removeWakeUp(deps: RestoreDependencies, saga: JournaledRun): Promise<void> {
  if (!saga.hasUnwrittenEntry()) await removeSource(deps, saga.context.signal);
}
