import { isOwnedElsewhere, type Outcome, type Run, type RunContext, type RunStep } from "./run.ts";
import { problemFrom } from "../errors.ts";
import type { Log } from "../log.ts";
import { openRecord, type RecordDependencies, type RunRecord } from "./record-run.ts";

/** Does the work of a run; what it returns becomes the run's result. */
export type Work = (context: RunContext) => Promise<unknown>;

export type RunsDependencies = RecordDependencies & {
  /** Called for as long as a run is active: keeps the pod from being scaled away. */
  readonly whileActive?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Hears of each run's begin and end. Neither rejects; the pod is kept until the second has resolved. */
  readonly monitor?: RunMonitor | undefined;
  /** Does what belongs to a run where others can tell so. */
  readonly within?: (<Result>(run: Run, work: () => Result) => Result) | undefined;
  /** Tells what an earlier process left untold. */
  readonly announce?: ((context: Telling, outcome: Outcome) => void) | undefined;
};

/** What the telling of a run is given. */
export type Telling = Pick<RunContext, "run" | "meanwhile" | "step">;

export type RunMonitor = {
  begun(run: Run): Promise<void>;
  /** A step says what could not be told. */
  ended(run: Run, step: RunContext["step"]): Promise<void>;
};

type Execution = {
  readonly tell: (step: RunStep) => void;
  /** Called with the run as it is recorded: its callers need not wait for background tasks. */
  readonly recorded: (run: Run) => void;
  readonly signal: AbortSignal;
  readonly isResumed: boolean;
};

/** Never rejects: what went wrong is in the record that it resolves to. */
export async function executeRun(
  dependencies: RunsDependencies,
  begun: Run,
  work: Work,
  { tell, recorded, signal, isResumed }: Execution,
): Promise<Run> {
  const { log, whileActive, monitor, within = alone } = dependencies;
  const record = openRecord(dependencies, begun, { tell, isResumed });
  const active = new AbortController();
  void whileActive?.(active.signal).catch((error: unknown) =>
    log.warn("keep-alive request failed", { error: String(error) }),
  );

  const begunTold = monitor?.begun(begun);
  const aside = oneAfterAnother(signal);
  /** With a monitor there is always something to tell. */
  const left = () => (monitor !== undefined || aside.untold().length > 0 ? aside.untold() : undefined);
  let run: Run;
  try {
    const { writes } = record;
    const context = { run: begun, isResumed, signal, ...writes, meanwhile: aside.begin };
    const result = await within(begun, () => work(context));
    run = { ...record.current(), state: "succeeded", finishedAt: new Date(), result, untold: left() };
  } catch (error) {
    const problem = problemFrom(error);
    // What could not be settled is left for the next process, as is what a signal ended.
    const state = signal.aborted || isOwnedElsewhere(problem.code) ? "interrupted" : "failed";
    run = { ...record.current(), state, finishedAt: new Date(), problem, untold: left() };
  }
  if (!mayBeNewer(run)) {
    await record.end(run).catch((error: unknown) => {
      log.error("run not recorded", { run: run.id, error: String(error) });
    });
  }
  recorded(run);
  await begunTold;
  await endTelling(dependencies, { run, record, aside });
  active.abort();
  logEnd(log, run);
  return run;
}

/** Tells of a run that has ended what the process that carried it out did not come to. Never rejects. */
export async function tellEnded(
  dependencies: RunsDependencies,
  ended: Run,
  { tell, signal }: Pick<Execution, "tell" | "signal">,
): Promise<Run> {
  const { store, announce, within = alone } = dependencies;
  // A list of records is without their results.
  const run = (await store.find(ended.id).catch(() => undefined)) ?? ended;
  const record = openRecord(dependencies, run, { tell, isResumed: true });
  const aside = oneAfterAnother(signal);
  const context = { run, step: record.writes.step, meanwhile: aside.begin };
  within(run, () => run.untold?.forEach((outcome) => announce?.(context, outcome)));
  await endTelling(dependencies, { run, record, aside });
  return run;
}

function alone<Result>(_: Run, work: () => Result): Result {
  return work();
}

type Ending = {
  readonly run: Run;
  readonly record: RunRecord;
  readonly aside: ReturnType<typeof oneAfterAnother>;
};

async function endTelling({ log, monitor }: RunsDependencies, { run, record, aside }: Ending): Promise<void> {
  await aside.ended();
  await monitor?.ended({ ...run, steps: record.current().steps }, record.writes.step);
  const untold = aside.untold();
  await record.settle(untold.length === 0 ? undefined : untold).catch((error: unknown) => {
    log.warn("run not recorded", { run: run.id, error: String(error) });
  });
}

/** The background tasks of a run: no caller gets their result. */
function oneAfterAnother(signal: AbortSignal) {
  let last = Promise.resolve();
  const untold = new Set<Outcome>();
  return {
    begin: (task: (signal: AbortSignal) => Promise<void>, tells?: Outcome): void => {
      if (tells !== undefined) untold.add(tells);
      const done = last.then(() => task(signal)).then(() => void (tells && untold.delete(tells)));
      last = done.catch(() => undefined);
    },
    ended: (): Promise<void> => last,
    untold: (): readonly Outcome[] => [...untold],
  };
}

/**
 * A journal belongs to the holder of the lock, and this process has let it go: what it would record now might be older
 * than what the next one has written.
 */
function mayBeNewer({ state, journal, problem }: Run): boolean {
  const isLeft = problem !== undefined && isOwnedElsewhere(problem.code);
  return isLeft || (state === "interrupted" && journal !== undefined);
}

function logEnd(log: Log, run: Run): void {
  const durationMs = (run.finishedAt?.getTime() ?? 0) - run.acceptedAt.getTime();
  const fields = { run: run.id, database: run.database, durationMs };
  if (run.problem === undefined) return log.info("run succeeded", fields);
  const { code, message, hint } = run.problem;
  if (code === "run_superseded") return log.info(`run ${run.state}`, { ...fields, code, reason: message });
  log.error(`run ${run.state}`, { ...fields, code, error: message, hint });
}
