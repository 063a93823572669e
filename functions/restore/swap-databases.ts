import type { RestoreJournal } from "./journal/journal.ts";
import type { Downtime, Stopped } from "./journal/restore-result.ts";
import { EFFECTS } from "./plan/strategy.ts";
import { readJournal, type Restoring, writeJournal } from "./restoring.ts";
import {
  ensureWakeUp,
  removeWakeUp,
  startWorkloads,
  stoppedNow,
  stopWorkloads,
} from "./workloads/restart-workloads.ts";

/** Stop, fence, swap, start. From here on only the journal knows what the application needs back. */
export async function swapDatabases(restoring: Restoring): Promise<Stopped> {
  const { run, signal, step, held, settings } = restoring;
  const { database, loaded, kept } = readJournal(restoring);
  // Both, so that whichever of them is dropped meanwhile, the other one shows that something was stopped.
  for (const name of [loaded, database]) await held.claim(name, run.id);
  await ensureWakeUp(restoring);
  await stopWorkloads(restoring);
  signal.throwIfAborted();

  await writeJournal(restoring, { phase: "swapping", ...stoppedNow(restoring) });
  const ended = await held.fence(database);
  await held.fence(loaded);
  await step("fenced", { sessionsEnded: ended });
  // Not asked whether to stop: the swap takes less time than opening again, and a lost lock fails it.
  await held.swapNames({ live: database, loaded, kept, run: run.id, keepMs: settings.undoForMs });
  return finishSwap(restoring);
}

/** After the swap, however this process learned of it. */
export async function finishSwap(restoring: Restoring): Promise<Stopped> {
  const { database, kept, strategy, source } = readJournal(restoring);
  if (!EFFECTS[strategy].needsBackup) await forgetKept(restoring, source);
  const until = kept === undefined ? undefined : await keptUntil(restoring, kept);
  if (kept === undefined || until === undefined) await writeJournal(restoring, { phase: "starting" });
  else {
    const entry = { phase: "starting", keptUntil: until.toISOString() } as const;
    await writeJournal(restoring, entry, { database: kept, until });
  }
  await restoring.held.reopen(database);
  await restoring.step("swapped", { kept });
  return restart(restoring);
}

async function keptUntil({ server, signal }: Restoring, kept: string): Promise<Date | undefined> {
  return (await server.readMarks(signal, [kept])).get(kept)?.kept?.until;
}

/** What an undo has made live again is kept no longer. */
async function forgetKept({ runs, log }: Restoring, undone: string): Promise<void> {
  try {
    const record = await runs.find(undone);
    if (record?.kept !== undefined) await runs.update({ ...record, kept: undefined });
  } catch (error) {
    log.warn("record of what was undone not written", { run: undone, error: String(error) });
  }
}

/** The end of every restore that stopped something: start, measure, and nothing is under way any more. */
export async function restart(restoring: Restoring): Promise<Stopped> {
  const openedMs = Date.now();
  const workloads = await startWorkloads(restoring);
  const readyMs = Date.now();
  const journal = readJournal(restoring);
  await restoring.held.release([journal.database], restoring.run.id);
  await writeJournal(restoring, { phase: "ended" });
  await removeWakeUp(restoring);
  return { ...downtimeOf(journal, openedMs, readyMs), workloads };
}

function downtimeOf({ downSince, stoppedAt }: RestoreJournal, openedMs: number, readyMs: number): Downtime {
  if (downSince === undefined) return {};
  const downMs = Date.parse(downSince);
  // The journal of an earlier version lacks it.
  const stoppedMs = stoppedAt === undefined ? downMs : Date.parse(stoppedAt);
  return {
    downtimeMs: readyMs - downMs,
    stoppingMs: stoppedMs - downMs,
    swapMs: openedMs - stoppedMs,
    startingMs: readyMs - openedMs,
  };
}
