import type { HeldDatabase } from "../postgres/database-lock.ts";
import { backoffMs } from "../retry.ts";
import { isUnfinished, type RunContext } from "../run/run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import type { BackupDependencies } from "./backup-request.ts";

/**
 * Another process may have the run, as a pod that was alive when this one started and found it unfinished. It is waited
 * for, however long it takes and without a word in its record; if it dies, the run is ours.
 */
export async function holdForRun<Result>(
  deps: BackupDependencies,
  database: string,
  context: RunContext,
  work: (held: HeldDatabase) => Promise<Result>,
): Promise<Result> {
  const locked = { database, run: context.run.id };
  for (let attempt = 1; ; attempt++) {
    try {
      return await deps.lock.hold(locked, context.signal, async (held) => {
        if (await hasEnded(deps, context)) throw endedElsewhere(context);
        return work(held);
      });
    } catch (error) {
      const isElsewhere = asDormouseError(error).code === "run_elsewhere";
      if (!isElsewhere || context.signal.aborted || (await hasEnded(deps, context))) throw error;
      await deps.pause(backoffMs(attempt), context.signal);
    }
  }
}

async function hasEnded({ runs }: BackupDependencies, { run }: RunContext): Promise<boolean> {
  const known = await runs.find(run.id);
  return known !== undefined && !isUnfinished(known);
}

function endedElsewhere({ run }: RunContext): DormouseError {
  return new DormouseError("run_elsewhere", `run ${run.id} was carried out by another process`, {
    hint: `GET /runs/${run.id} tells how it ended`,
  });
}
