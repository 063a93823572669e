import type { Problem } from "../errors.ts";
import { whyAbandoned } from "./resume.ts";
import { isUnfinished, type OutcomeEvent, type Run, type RunStore } from "./run.ts";
import type { Log } from "../log.ts";

type ResumeDependencies = {
  readonly runs: RunStore;
  readonly log: Log;
  /** The event of a run that is not resumed: no caller waits for the answer any more. */
  readonly failureOf?: (run: Run, problem: Problem) => OutcomeEvent;
  /** Why a run is not for its record to begin. */
  readonly notByRecord?: (run: Run) => string | undefined;
};

/**
 * The unfinished runs of a kind and of databases that are to be resumed, each with one more attempt on record; the others
 * are closed, with their events unsent.
 */
export async function interruptedRuns(
  deps: ResumeDependencies,
  kind: "backup" | "cull",
  covers: (database: string) => boolean,
): Promise<readonly Run[]> {
  const taken: Run[] = [];
  const unfinished = (await deps.runs.all(kind)).filter((run) => covers(run.database) && isUnfinished(run));
  const isPart = ({ request }: Run) => unfinished.some(({ id }) => id === request["sweep"]);
  // A sweep resumes its parts itself, one after the other.
  for (const run of unfinished.filter((each) => !isPart(each))) {
    const next = await takeUp(deps, run);
    if (next.state === "accepted") taken.push(next);
  }
  return taken;
}

/** An unfinished run with one more attempt on record; or closed, when it is not to be resumed. */
export async function takeUp(
  { runs, log, failureOf, notByRecord }: ResumeDependencies,
  run: Run,
): Promise<Run> {
  const why = notByRecord?.(run) ?? whyAbandoned(run, new Date());
  if (why === undefined) {
    const attempt = run.attempt + 1;
    const next: Run = { ...run, state: "accepted", attempt, problem: undefined, finishedAt: undefined };
    await runs.update(next);
    return next;
  }
  const problem: Problem = {
    code: "interrupted",
    message: `the run was interrupted and is not resumed: ${why}`,
    hint: "find out what ends the pod: its memory limit, its node, its own log",
  };
  const untold = failureOf && [...(run.untold ?? []), failureOf(run, problem)];
  const closed: Run = { ...run, state: "failed", finishedAt: new Date(), problem, untold };
  await runs.update(closed);
  log.warn("run abandoned", { run: run.id, why });
  return closed;
}
