import type { Queueing } from "../../../shared/postgres/session/advisory-lock.ts";
import { strategiesThat } from "../plan/strategy.ts";
import { parseJournal } from "./journal.ts";
import { isTransient, retrying } from "../../../shared/retry.ts";
import type { Run } from "../../../shared/run/run.ts";
import { asDormouseError, DormouseError, type ErrorCode } from "../../../shared/errors.ts";
import { hasBegun, type OpenRestore, refuseEnded, type Restoring, underLock } from "../restoring.ts";

/** How long taking back a failed restore is tried within its run. Then the next start, ping or request goes on. */
export const SETTLE_MS = 300_000;

/**
 * A restore waits for the lock, and goes before all that only try to have it: an event can be taken again. One that is
 * taken up, or has begun, must end: the process that had it before may still be ending.
 */
export async function holdDatabase<Result>(
  open: OpenRestore,
  work: (restoring: Restoring) => Promise<Result>,
): Promise<Result> {
  const { isResumed, run, runs, signal, lock, settings } = open;
  const mustEnd = () => isResumed || hasBegun(open);
  const locked = { database: settings.database, run: run.id, queue: createQueue(open, mustEnd()) };
  let isIn = false;
  return retrying(
    signal,
    () => {
      isIn = false;
      return lock.hold(locked, signal, async (held) => {
        isIn = true;
        if (!mustEnd()) await refuseOvertaken(open);
        return work(underLock(open, held));
      });
    },
    async ({ error, code, elapsedMs }) => {
      const mayPass = (!isIn && isHeld(code)) || (!hasBegun(open) && isTransient(code));
      if (!mayPass || !mustEnd()) return false;
      if (elapsedMs <= SETTLE_MS) return true;
      // The holder of the lock has settled what it found unfinished, and may have hours of work of its own.
      refuseEnded((await runs.find(run.id).catch(() => undefined)) ?? run);
      throw unsettled(run, error);
    },
  );
}

/** Without the lock, the record of a run that is resumed is another's to write. */
function createQueue({ runs, settings, step }: OpenRestore, mustEnd: boolean): Queueing {
  if (mustEnd) return { forMs: SETTLE_MS, join: async () => true };
  return {
    forMs: settings.busyForMs,
    async join(holder) {
      const other = holder === undefined ? undefined : await runs.find(holder);
      if (settings.busyForMs === 0 || (other !== undefined && changesLive(other))) return false;
      await step("waiting", {
        for: holder ?? "another run",
        atMostSeconds: settings.busyForMs / 1000,
      });
      return true;
    },
  };
}

/** A second request for the same restore wants a restore: what was restored meanwhile has been in use since. */
async function refuseOvertaken({ runs, settings, run: own }: OpenRestore): Promise<void> {
  const other = (await runs.all("restore")).find(
    (run) => run.id !== own.id && run.database === settings.database && hasChangedSince(run, own.acceptedAt),
  );
  if (other === undefined) return;
  const message = `${other.id} changed ${JSON.stringify(settings.database)} while this restore waited`;
  throw new DormouseError("database_busy", message, {
    hint: `look at GET /runs/${other.id}; ask again if you want this one as well`,
  });
}

const LEAVING_LIVE: readonly unknown[] = strategiesThat(({ stops }) => !stops);

/** Whether a run swaps or replaces the live database: a plan, a rehearsal and a copy beside it leave it alone. */
function changesLive({ kind, request: { strategy, dryRun } }: Run): boolean {
  return kind === "restore" && dryRun !== true && !LEAVING_LIVE.includes(strategy);
}

/** By its journal, which is written under the lock; the record itself ends a little later. */
function hasChangedSince(run: Run, since: Date): boolean {
  return (
    changesLive(run) &&
    (run.finishedAt ?? run.updatedAt) > since &&
    parseJournal(run.journal)?.phase === "ended"
  );
}

function isHeld(code: ErrorCode): boolean {
  return code === "database_busy" || code === "run_superseded";
}

export function unsettled({ id }: Run, error: unknown, cause = error): DormouseError {
  const failed = cause === error ? "" : ` failed (${asDormouseError(cause).message}) and`;
  return new DormouseError(
    "rollback_pending",
    `restore ${id}${failed} could not be settled yet: ${asDormouseError(error).message}`,
    { hint: "its journal is kept: the next start, ping or request goes on", cause },
  );
}
