import type { HeldDatabase } from "../backup/database-lock.ts";
import { backoffMs, isTransient } from "../backup/retry.ts";
import type { Run } from "../backup/run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import type { Saga } from "./saga.ts";

/** A run that is taken up waits for the lock: the process that had it before may still be ending. */
export async function holdDatabase<Result>(
  deps: RestoreDependencies,
  saga: Saga,
  work: (held: HeldDatabase, own: Saga) => Promise<Result>,
): Promise<Result> {
  const { isTakenUp, signal } = saga.context;
  const begunMs = deps.now().getTime();
  for (let attempted = 1; ; attempted++) {
    try {
      return await deps.lock.hold(deps.settings.database, signal, (held) => work(held, saga.within(held)));
    } catch (error) {
      const { code } = asDormouseError(error);
      const mayPass = code === "database_busy" || (!saga.hasBegun() && isTransient(code));
      if (!mayPass || signal.aborted || !(isTakenUp || saga.hasBegun())) throw error;
      if (deps.now().getTime() - begunMs > deps.settings.settleForMs)
        throw unsettled(saga.context.run, error);
      await deps.pause(backoffMs(attempted), signal);
    }
  }
}

export function unsettled({ id }: Run, error: unknown, cause = error): DormouseError {
  const failed = cause === error ? "" : ` failed (${asDormouseError(cause).message}) and`;
  return new DormouseError(
    "restore_unsettled",
    `restore ${id}${failed} could not be settled yet: ${asDormouseError(error).message}`,
    { hint: "its journal is kept: the next start, ping or request goes on", cause },
  );
}
