import { resumption } from "../backup/resume.ts";
import type { Run, RunStore } from "../backup/run.ts";
import type { Log } from "../log.ts";

export type ResumeDependencies = {
  readonly runs: RunStore;
  readonly log: Log;
  readonly now: () => Date;
};

/**
 * The unfinished runs of a kind and a database that are to be taken up, each with one more attempt on record; the others
 * are closed.
 */
export async function interruptedRuns(
  { runs, log, now }: ResumeDependencies,
  kind: "backup" | "cull",
  database: string,
): Promise<readonly Run[]> {
  const taken: Run[] = [];
  for (const run of await runs.unfinished(kind, database)) {
    const decision = resumption(run, now());
    if (decision.takeUp) {
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
    const message = `the run was interrupted and is not taken up: ${decision.why}`;
    await runs.update({
      ...run,
      state: "failed",
      finishedAt: now(),
      problem: { code: "interrupted", message },
    });
    log.warn("run given up", { run: run.id, why: decision.why });
  }
  return taken;
}
