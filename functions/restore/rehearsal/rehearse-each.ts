import { DormouseError, problemFrom, type Problem } from "../../../shared/errors.ts";
import { announce } from "../../../shared/events/announce.ts";
import { retirementOf, type RetiredDatabases } from "../../../shared/backup/retired-databases.ts";
import { newestFirst } from "../../../shared/catalog/backup.ts";
import type { Work } from "../../../shared/run/execute-run.ts";
import { restoreMayGoOn, SWEPT } from "../../../shared/run/resume.ts";
import { isOwnedElsewhere, nameOf, type RunContext } from "../../../shared/run/run.ts";
import type { Runs } from "../../../shared/run/runs.ts";
import type { RestoreEvent } from "../journal/restore-result.ts";
import { refuseEnded, type RestoreDependencies } from "../restoring.ts";
import { LATEST_UNPROVEN } from "./requested-by-event.ts";

type Dependencies = Pick<RestoreDependencies, "merged" | "choice" | "events" | "log"> & {
  readonly retired: Pick<RetiredDatabases, "known">;
  readonly inPod: Pick<Runs, "start">;
  /** Rehearses one database, as when that alone is asked for. */
  readonly work: Work;
};

type Rehearsed = { readonly database: string; readonly run?: string; readonly problem?: Problem };

/**
 * Of each database that has backups the latest, unless it has been proved: one after the other, each by a run of its own.
 * One that fails stops no other. A process that resumes this goes on with those that are missing: a rehearsal changes
 * nothing that lives.
 */
export async function rehearseEach(deps: Dependencies, context: RunContext): Promise<object> {
  try {
    return await rehearseAll(deps, context);
  } catch (error) {
    const problem = problemFrom(error);
    // What failed of single databases has been announced of each.
    const isAnnounced = problem.code === "sweep_incomplete";
    if (!context.signal.aborted && !isAnnounced && !isOwnedElsewhere(problem.code))
      announceFailure(deps, context, { database: nameOf(context.run), problem });
    throw error;
  }
}

async function rehearseAll(deps: Dependencies, context: RunContext): Promise<object> {
  const run = await context.refresh();
  refuseEnded(run);
  if (!restoreMayGoOn(run, new Date())) throw givenUp(run.attempt - 1);
  const done = new Map(rehearsedIn(run.steps).map((each) => [each.database, each]));
  for (const database of await listDatabases(deps, context.signal)) {
    context.signal.throwIfAborted();
    if (done.has(database)) continue;
    const rehearsed = await rehearseOne(deps, context, database);
    done.set(database, rehearsed);
    await context.step(rehearsed.problem === undefined ? SWEPT.rehearsed : SWEPT.unproved, { ...rehearsed });
  }
  const failed = [...done.values()].flatMap(({ database, problem }) =>
    problem === undefined ? [] : [`${JSON.stringify(database)} (${problem.code}: ${problem.message})`],
  );
  if (failed.length > 0) throw incomplete(done.size, failed);
  return { databases: [...done.values()] };
}

async function rehearseOne(deps: Dependencies, context: RunContext, database: string): Promise<Rehearsed> {
  const { inPod, work } = deps;
  const { run, signal } = context;
  const { kind, trigger } = run;
  try {
    const request = { ...LATEST_UNPROVEN, database, sweep: run.id };
    const started = await inPod.start({ kind, database, trigger, request }, work, { atMost: Infinity });
    const ended = await started.finished(signal);
    const { problem } = ended;
    return { database, run: ended.id, ...(problem === undefined ? {} : { problem }) };
  } catch (error) {
    signal.throwIfAborted();
    // It has no run of its own that would say so.
    const problem = problemFrom(error);
    announceFailure(deps, context, { database, problem });
    return { database, problem };
  }
}

function announceFailure(
  deps: Dependencies,
  context: RunContext,
  { database, problem }: { readonly database: string; readonly problem: Problem },
): void {
  announce(deps, context, {
    type: "dev.dormouse.rehearsal.failed",
    subject: database,
    data: { run: context.run.id, database, problem },
  } satisfies RestoreEvent);
}

/** What an operator has called gone for good is not missed. */
async function listDatabases({ merged, choice, retired }: Dependencies, signal: AbortSignal) {
  const { backups } = await merged.list(signal);
  const retirements = await retired.known();
  const newest = new Map(
    backups
      .toSorted(newestFirst)
      .toReversed()
      .map(({ database, startedAt }) => [database, startedAt]),
  );
  return [...newest.keys()]
    .filter((database) => choice.includes(database))
    .filter((database) => retirementOf(database, newest.get(database), retirements) === undefined)
    .toSorted();
}

function rehearsedIn(steps: RunContext["run"]["steps"]): readonly Rehearsed[] {
  const kinds: readonly string[] = [SWEPT.rehearsed, SWEPT.unproved];
  return steps.flatMap(({ step, detail }) => (kinds.includes(step) ? [detail as Rehearsed] : []));
}

function incomplete(count: number, failed: readonly string[]): DormouseError {
  return new DormouseError(
    "sweep_incomplete",
    `${failed.length} of ${count} databases were not rehearsed: ${failed.join("; ")}`,
    { hint: "each has a run of its own that says more" },
  );
}

function givenUp(times: number): DormouseError {
  return new DormouseError("interrupted", `the rehearsal of all databases was interrupted ${times} times`, {
    hint: "find out what ends the pod: its memory limit, its node, its own log",
  });
}
