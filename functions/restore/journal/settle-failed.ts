import { parseJournal } from "./journal.ts";
import type { RestoreResult } from "./restore-result.ts";
import { retrying } from "../../../shared/retry.ts";
import { isOwnedElsewhere, type Run, type RunContext } from "../../../shared/run/run.ts";
import { asDormouseError } from "../../../shared/errors.ts";
import { holdDatabase, SETTLE_MS, unsettled } from "./hold-database.ts";
import {
  bestEffort,
  hasBegun,
  type OpenRestore,
  openRestore,
  refreshJournal,
  type Restoring,
} from "../restoring.ts";
import { settle } from "./settle-restore.ts";

/**
 * The holder of the lock knows that no other restore is under way: what an earlier one left unfinished is finished or
 * taken back, before anything else is touched.
 */
export async function settleOthers(restoring: Restoring): Promise<void> {
  const { held, runs, settings, step } = restoring;
  const waiting = await held.waiting();
  for (const run of await runs.unfinished("restore", settings.database)) {
    // One that has not begun, and whose process waits for this lock or will in a moment, has its turn later.
    const isToCome = run.journal === undefined && (waiting.has(run.id) || isNew(run));
    if (run.id === restoring.run.id || isToCome) continue;
    let current = run;
    const amend: RunContext["amend"] = async (changes) => {
      current = { ...current, ...changes };
      await runs.update(current);
    };
    if (parseJournal(run.journal) !== undefined) {
      const others = openRestore(restoring, { ...restoring, run, amend });
      const result = await settle({ ...others, held });
      if (result !== undefined) current = { ...current, result };
    }
    const problem = {
      code: "interrupted",
      message: "another restore was asked for; this one was settled",
    } as const;
    const end =
      current.result === undefined ? { state: "failed" as const, problem } : { state: "succeeded" as const };
    await runs.update({ ...current, ...end, finishedAt: new Date() });
    await step("settled", { run: run.id, state: end.state });
  }
}

/** Between its record and its waiting for the lock it finds its backup, for which a bucket may take its time. */
const FINDING_MS = 2 * 60_000;

function isNew({ acceptedAt }: Run): boolean {
  return Math.abs(Date.now() - acceptedAt.getTime()) < FINDING_MS;
}

/** With the lock anew, since it may be the lock that failed; in the end it is left to the next process. */
export async function settleForSure(open: OpenRestore, cause: unknown): Promise<RestoreResult | undefined> {
  const { run, signal, log } = open;
  const { code, message } = asDormouseError(cause);
  // Without the lock the record may be another's by now.
  log.warn("restore failed", { run: run.id, code, error: message });
  return retrying(
    signal,
    () => holdDatabase(open, (restoring) => settleOwn(restoring, cause)),
    ({ error, code: failed, elapsedMs }) => {
      if (isOwnedElsewhere(failed)) return false;
      if (elapsedMs > SETTLE_MS) throw unsettled(run, error, cause);
      return true;
    },
  );
}

/** By the record, if that can be read: the lock may have been another's in between. */
async function settleOwn(restoring: Restoring, cause: unknown): Promise<RestoreResult | undefined> {
  try {
    await refreshJournal(restoring);
  } catch (error) {
    if (isOwnedElsewhere(asDormouseError(error).code)) throw error;
    restoring.log.warn("record not read", { run: restoring.run.id, error: String(error) });
  }
  if (!hasBegun(restoring)) return undefined;
  const { code, message } = asDormouseError(cause);
  await bestEffort(restoring).step("failed", { code, error: message });
  return settle(restoring);
}
