import type { Problem } from "../errors.ts";
import { resumption } from "./resume.ts";
import type { Run, RunStore } from "./run.ts";
import type { Log } from "../log.ts";

export type ResumeDependencies = {
  readonly runs: RunStore;
  readonly log: Log;
  readonly now: () => Date;
  /** Must be announced: no caller waits for the answer any more. */
  readonly givenUp?: (run: Run, problem: Problem) => void;
  /** Why a run is not for its record to begin. */
  readonly notByRecord?: (run: Run) => string | undefined;
};

/**
 * The unfinished runs of a kind and a database that are to be taken up, each with one more attempt on record; the others
 * are closed.
 */
export async function interruptedRuns(
  { runs, log, now, givenUp, notByRecord }: ResumeDependencies,
  kind: "backup" | "cull",
  database: string,
): Promise<readonly Run[]> {
  const taken: Run[] = [];
  for (const run of await runs.unfinished(kind, database)) {
    const why = notByRecord?.(run);
    const decision = why === undefined ? resumption(run, now()) : { resumeRun: false, why };
    if (decision.resumeRun) {
      const next: Run = {
        ...run,
        state: "accepted",
        attempt: run.attempt + 1,
        problem: undefined,
        finishedAt: undefined,
      };
      await runs.update(next);
      taken.push(next);
      continue;
    }
    const problem: Problem = {
      code: "interrupted",
      message: `the run was interrupted and is not taken up: ${decision.why}`,
      hint: "find out what ends the pod: its memory limit, its node, its own log",
    };
    await runs.update({ ...run, state: "failed", finishedAt: now(), problem });
    log.warn("run abandoned", { run: run.id, why: decision.why });
    givenUp?.(run, problem);
  }
  return taken;
}
