import type { HeldDatabase } from "../backup/database-lock.ts";
import { backoffMs, isTransient } from "../backup/retry.ts";
import type { Run } from "../backup/run.ts";
import { asDormouseError, DormouseError, type ErrorCode } from "../errors.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import type { Saga } from "./saga.ts";

/** A run that is taken up waits for the lock: the process that had it before may still be ending. */
export async function holdDatabase<Result>(
  deps: RestoreDependencies,
  saga: Saga,
  work: (held: HeldDatabase, own: Saga) => Promise<Result>,
): Promise<Result> {
  const { isTakenUp, run, signal } = saga.context;
  const locked = { database: deps.settings.database, run: run.id };
  const mustEnd = () => isTakenUp || saga.hasBegun();
  const begunMs = deps.now().getTime();
  for (let attempted = 1; ; attempted++) {
    let isIn = false;
    try {
      return await deps.lock.hold(locked, signal, (held) => {
        isIn = true;
        return work(held, saga.within(held));
      });
    } catch (error) {
      const { code } = asDormouseError(error);
      const mayPass = (!isIn && isHeld(code)) || (!saga.hasBegun() && isTransient(code));
      if (!mayPass || signal.aborted || !mustEnd()) throw error;
      if (deps.now().getTime() - begunMs > deps.settings.settleForMs) throw unsettled(run, error);
      await deps.pause(backoffMs(attempted), signal);
    }
  }
}

function isHeld(code: ErrorCode): boolean {
  return code === "database_busy" || code === "run_elsewhere";
}

export function unsettled({ id }: Run, error: unknown, cause = error): DormouseError {
  const failed = cause === error ? "" : ` failed (${asDormouseError(cause).message}) and`;
  return new DormouseError(
    "restore_unsettled",
    `restore ${id}${failed} could not be settled yet: ${asDormouseError(error).message}`,
    { hint: "its journal is kept: the next start, ping or request goes on", cause },
  );
}
