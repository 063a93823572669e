import { DormouseError, problemFrom, type Problem } from "../../../shared/errors.ts";
import { retirementOf, type RetiredDatabases } from "../../../shared/backup/retired-databases.ts";
import { newestFirst } from "../../../shared/catalog/backup.ts";
import type { Work } from "../../../shared/run/execute-run.ts";
import { restoreMayGoOn, SWEPT } from "../../../shared/run/resume.ts";
import type { RunContext } from "../../../shared/run/run.ts";
import type { Runs } from "../../../shared/run/runs.ts";
import { refuseEnded, type RestoreDependencies } from "../restoring.ts";
import { LATEST_UNPROVEN } from "./requested-by-event.ts";

type Dependencies = Pick<RestoreDependencies, "merged" | "choice"> & {
  readonly retired: Pick<RetiredDatabases, "known">;
  readonly inPod: Pick<Runs, "start">;
  /** Rehearses one database, as when that alone is asked for. */
  readonly work: Work;
};

type Rehearsed = { readonly database: string; readonly run?: string; readonly problem?: Problem };

/**
 * Of each database that has backups the latest, unless it has been proved: one after the other, each by a run of its own.
 * One that fails stops no other. A process that takes this up goes on with those that are missing: a rehearsal changes
 * nothing that lives.
 */
export async function rehearseEach(deps: Dependencies, context: RunContext): Promise<object> {
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

async function rehearseOne(
  { inPod, work }: Dependencies,
  { run: { id, kind, trigger }, signal }: RunContext,
  database: string,
): Promise<Rehearsed> {
  try {
    const request = { ...LATEST_UNPROVEN, database, sweep: id };
    const started = await inPod.start({ kind, database, trigger, request }, work, { atMost: Infinity });
    const ended = await started.finished(signal);
    const { problem } = ended;
    return { database, run: ended.id, ...(problem === undefined ? {} : { problem }) };
  } catch (error) {
    signal.throwIfAborted();
    return { database, problem: problemFrom(error) };
  }
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
