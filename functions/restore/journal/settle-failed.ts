import type { HeldDatabase } from "../../../shared/postgres/databases/held-database.ts";
import { parseJournal } from "./journal.ts";
import type { RestoreResult } from "./restore-result.ts";
import { retrying } from "../../../shared/retry.ts";
import { isOwnedElsewhere, type RunContext } from "../../../shared/run/run.ts";
import { asDormouseError } from "../../../shared/errors.ts";
import { holdDatabase, unsettled } from "./hold-database.ts";
import type { RestoreDependencies } from "../restore-dependencies.ts";
import { openJournal, type JournaledRun } from "./journaled-run.ts";
import { settle } from "./settle-restore.ts";

/**
 * The holder of the lock knows that no other restore is under way: what an earlier one left unfinished is finished or
 * taken back, before anything else is touched.
 */
export async function settleOthers(
  deps: RestoreDependencies,
  held: HeldDatabase,
  context: RunContext,
): Promise<void> {
  const waiting = await held.waiting();
  for (const run of await deps.runs.unfinished("restore", deps.settings.database)) {
    // One that has not begun, and whose process waits for this lock, has its turn later.
    const isToCome = run.journal === undefined && waiting.has(run.id);
    if (run.id === context.run.id || isToCome) continue;
    let current = run;
    const amend: RunContext["amend"] = async (changes) => {
      current = { ...current, ...changes };
      await deps.runs.update(current);
    };
    if (parseJournal(run.journal) !== undefined) {
      const result = await settle(deps, openJournal({ ...context, run, amend }), held);
      if (result !== undefined) current = { ...current, result };
    }
    const problem = {
      code: "interrupted",
      message: "another restore was asked for; this one was settled",
    } as const;
    const end =
      current.result === undefined ? { state: "failed" as const, problem } : { state: "succeeded" as const };
    await deps.runs.update({ ...current, ...end, finishedAt: deps.now() });
    await context.step("settled", { run: run.id, state: end.state });
  }
}

/** With the lock anew, since it may be the lock that failed; in the end it is left to the next process. */
export async function settleForSure(
  deps: RestoreDependencies,
  saga: JournaledRun,
  cause: unknown,
): Promise<RestoreResult | undefined> {
  const { run, signal } = saga.context;
  const { code, message } = asDormouseError(cause);
  // Without the lock the record may be another's by now.
  deps.log.warn("restore failed", { run: run.id, code, error: message });
  return retrying(
    signal,
    () => holdDatabase(deps, saga, (held, own) => settleOwn(deps, own, held, cause)),
    ({ error, code: failed, elapsedMs }) => {
      if (isOwnedElsewhere(failed)) return false;
      if (elapsedMs > deps.settings.settleForMs) throw unsettled(run, error, cause);
      return true;
    },
  );
}

/** By the record, if that can be read: the lock may have been another's in between. */
async function settleOwn(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
  cause: unknown,
): Promise<RestoreResult | undefined> {
  try {
    await saga.refresh();
  } catch (error) {
    if (isOwnedElsewhere(asDormouseError(error).code)) throw error;
    deps.log.warn("record not read", { run: saga.context.run.id, error: String(error) });
  }
  if (!saga.hasBegun()) return undefined;
  const { code, message } = asDormouseError(cause);
  await saga.bestEffort(deps.log).context.step("failed", { code, error: message });
  return settle(deps, saga, held);
}
