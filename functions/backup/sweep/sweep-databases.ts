import { failureOf } from "../../../shared/backup/take-backup.ts";
import type { BackupDependencies } from "../../../shared/backup/taking-backup.ts";
import { retirementOf, type RetiredDatabases } from "../../../shared/backup/retired-databases.ts";
import type { DatabaseChoice } from "../../../shared/config/database-choice.ts";
import { DormouseError, problemFrom } from "../../../shared/errors.ts";
import { announce } from "../../../shared/events/announce.ts";
import type { ListedDatabases } from "../../../shared/postgres/databases/list-databases.ts";
import type { Work } from "../../../shared/run/execute-run.ts";
import { LISTED, SWEPT } from "../../../shared/run/resume.ts";
import { takeUp } from "../../../shared/run/resume-runs.ts";
import { isUnfinished, type Run, type RunContext } from "../../../shared/run/run.ts";
import type { Runs, StartedRun } from "../../../shared/run/runs.ts";
import { traceHeaders } from "../../../shared/trace.ts";
import { oldestFirst, type Known, knownDatabases, listAtFirst, listNow } from "./listed-databases.ts";
import type { SweepEvent } from "./sweep-events.ts";
import { DETAILS_STEP, sweptIn, type Swept, type SweptDetails } from "./swept.ts";

type SweepDependencies = BackupDependencies & {
  readonly choice: DatabaseChoice;
  readonly retired: Pick<RetiredDatabases, "known">;
  /** How long a server that is away is asked which databases it has. */
  readonly retryForMs: number;
  readonly inPod: Pick<Runs, "start" | "resumeRun" | "sendUnsent">;
  /** Takes the backup of one database, as when that alone is asked for. */
  readonly work: Work;
};

type SweepResult = SweptDetails & { readonly databases: readonly Swept[] };

/**
 * Backs up one database after the other, each by a run of its own: at first what has no backup, then by the age of the last
 * good one, so that the one that waited longest never waits for the large ones. One that fails stops no other. A process
 * that takes this up goes on with those that are missing.
 */
export async function sweepDatabases(deps: SweepDependencies, context: RunContext): Promise<SweepResult> {
  try {
    return await sweepAll(deps, context);
  } catch (error) {
    const problem = problemFrom(error);
    // The event of the whole has what failed of single databases.
    if (!context.signal.aborted && problem.code !== "sweep_incomplete")
      announce(deps, context, failureOf(context.run, problem));
    throw error;
  }
}

async function sweepAll(deps: SweepDependencies, context: RunContext): Promise<SweepResult> {
  const { run, step } = context;
  const known = await knownDatabases(deps, run, context.signal);
  let listed = await listAtFirst(deps, known, context);
  const done = new Map(sweptIn(run).map((swept) => [swept.database, swept]));
  const left = await partsOf(context, deps.runs);
  await step(LISTED, { databases: oldestFirst(listed.wanted, known) });
  for (;;) {
    context.signal.throwIfAborted();
    const [database] = oldestFirst(listed.wanted, known).filter((each) => !done.has(each));
    if (database === undefined) break;
    const swept = await sweepOne(deps, context, { database, left: left.get(database) });
    done.set(database, swept);
    await step("problem" in swept ? SWEPT.failed : SWEPT.taken, { ...swept });
    // Hours may have gone by: what is new is taken, and what is gone is not asked for.
    listed = await listNow(deps, known, context.signal).catch(() => listed);
  }
  return finish(deps, context, { done: [...done.values()], known, listed });
}

/** One database of a sweep, with the run of it that an earlier process has left. */
type Part = { readonly database: string; readonly left: Run | undefined };

async function sweepOne(deps: SweepDependencies, context: RunContext, part: Part): Promise<Swept> {
  const { signal, progress } = context;
  const { database } = part;
  try {
    const started = await startPart(deps, context, part);
    if (!("finished" in started)) return ended(database, started);
    const unsubscribe = started.subscribe(({ step, detail }) =>
      progress({ database, ...(step === "progress" ? {} : { step }), ...detail }),
    );
    try {
      return ended(database, await started.finished(signal));
    } finally {
      unsubscribe();
    }
  } catch (error) {
    signal.throwIfAborted();
    return { database, problem: problemFrom(error) };
  }
}

/** The run of one database for this sweep; one that an earlier process has left is resumed, or is over. */
async function startPart(
  { runs, inPod, work, log }: SweepDependencies,
  { run }: RunContext,
  { database, left }: Part,
): Promise<StartedRun | Run> {
  const request = { ...run.request, sweep: run.id };
  const { kind, trigger, caller } = run;
  const wanted = { kind, database, trigger, request, caller, ...traceHeaders() };
  if (left === undefined) return inPod.start(wanted, work, { atMost: Infinity });
  // Hours may have gone by since all records were read.
  const now = (await runs.find(left.id)) ?? left;
  if (!isUnfinished(now)) return now;
  const next = await takeUp({ runs, log, failureOf }, now);
  if (isUnfinished(next)) return inPod.resumeRun(next, work);
  await inPod.sendUnsent(run.kind, (each) => each === database);
  return next;
}

/**
 * What an earlier process left of this sweep, read once for all databases. What ended before the sweep was begun again is begun
 * again with it.
 */
async function partsOf(
  { run: sweep, isResumed }: RunContext,
  runs: SweepDependencies["runs"],
): Promise<ReadonlyMap<string, Run>> {
  const isLeft = (run: Run) => isUnfinished(run) || (isResumed && run.updatedAt >= sweep.acceptedAt);
  const parts = (await runs.all(sweep.kind)).filter(
    (run) => run.request["sweep"] === sweep.id && isLeft(run),
  );
  // Oldest first: of two, the older one is kept.
  return new Map(parts.toReversed().map((run) => [run.database, run]));
}

function ended(database: string, { id: run, problem, result }: Run): Swept {
  if (problem !== undefined) return { database, run, problem };
  return { database, run, backup: (result as { readonly name: string }).name };
}

type Done = {
  readonly done: readonly Swept[];
  readonly known: Known;
  readonly listed: ListedDatabases;
};

async function finish(
  deps: SweepDependencies,
  context: RunContext,
  { done, known, listed }: Done,
): Promise<SweepResult> {
  const retired = await deps.retired.known();
  const isMissed = (database: string) =>
    !listed.existing.has(database) && retirementOf(database, known.get(database), retired) === undefined;
  const changes = {
    new: done.map(({ database }) => database).filter((database) => !known.has(database)),
    vanished: [...known.keys()].filter(isMissed).toSorted(),
  };
  await context.step(DETAILS_STEP, changes);
  const taken = done.flatMap((swept) =>
    "backup" in swept ? [{ database: swept.database, backup: swept.backup }] : [],
  );
  const failed = done.flatMap((swept) => ("problem" in swept ? [swept] : []));
  announce(deps, context, {
    type: "dev.dormouse.backup.swept",
    subject: deps.installation.service ?? "",
    data: { run: context.run.id, taken, failed, ...changes },
  } satisfies SweepEvent);
  if (failed.length > 0) throw incomplete(done.length, failed);
  return { databases: done, ...changes };
}

function incomplete(count: number, failed: readonly Extract<Swept, { problem: unknown }>[]): DormouseError {
  const which = failed.map(
    ({ database, problem }) => `${JSON.stringify(database)} (${problem.code}: ${problem.message})`,
  );
  return new DormouseError(
    "sweep_incomplete",
    `${failed.length} of ${count} databases have no backup of this run: ${which.join("; ")}`,
    { hint: "each has a run of its own that says more; the others are backed up" },
  );
}
