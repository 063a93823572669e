import { isOwnedElsewhere, type OutcomeEvent, type Run, type RunContext, type RunStep } from "./run.ts";
import { problemFrom } from "../errors.ts";
import type { Log } from "../log.ts";
import { openRecord, type RecordDependencies, type RunRecord } from "./record-run.ts";

/** Does the work of a run; what it returns becomes the run's result. */
export type Work = (context: RunContext) => Promise<unknown>;

export type RunsDependencies = RecordDependencies & {
  /** Called for as long as a run is active: keeps the pod from being scaled away. */
  readonly whileActive?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Called at each run's begin and end. Neither rejects; the pod is kept until the second has resolved. */
  readonly monitor?: RunMonitor | undefined;
  /** Does what belongs to a run in the run's trace context. */
  readonly within?: (<Result>(run: Run, work: () => Result) => Result) | undefined;
  /** Sends an event that an earlier process left unsent. */
  readonly announce?: ((context: AnnounceContext, event: OutcomeEvent) => void) | undefined;
};

type AnnounceContext = Pick<RunContext, "run" | "meanwhile" | "step">;

export type RunMonitor = {
  readonly begun?: (run: Run) => Promise<void>;
  /** `step` records what could not be sent. */
  ended(run: Run, step: RunContext["step"]): Promise<void>;
};

type Execution = {
  readonly emit: (step: RunStep) => void;
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
  { emit, recorded, signal, isResumed }: Execution,
): Promise<Run> {
  const { log, whileActive, monitor, within = alone } = dependencies;
  const record = openRecord(dependencies, begun, { emit, isResumed });
  const active = new AbortController();
  void whileActive?.(active.signal).catch((error: unknown) =>
    log.warn("keep-alive request failed", { error: String(error) }),
  );

  const reported = monitor?.begun?.(begun);
  const aside = oneAfterAnother(signal);
  /** With a monitor there is always something to send. */
  const unsent = () => (monitor !== undefined || aside.unsent().length > 0 ? aside.unsent() : undefined);
  let run: Run;
  try {
    const { writes } = record;
    const context = { run: begun, isResumed, signal, ...writes, meanwhile: aside.begin };
    const result = await within(begun, () => work(context));
    run = { ...record.current(), state: "succeeded", finishedAt: new Date(), result, untold: unsent() };
  } catch (error) {
    const problem = problemFrom(error);
    // What could not be settled is left for the next process, as is what a signal ended.
    const state = signal.aborted || isOwnedElsewhere(problem.code) ? "interrupted" : "failed";
    run = { ...record.current(), state, finishedAt: new Date(), problem, untold: unsent() };
  }
  if (!mayBeNewer(run)) {
    await record.end(run).catch((error: unknown) => {
      log.error("run not recorded", { run: run.id, error: String(error) });
    });
  }
  recorded(run);
  await reported;
  await finishReports(dependencies, { run, record, aside });
  active.abort();
  logEnd(log, run);
  return run;
}

/** Sends the events of a run that has ended which its process left unsent. Never rejects. */
export async function announceEnded(
  dependencies: RunsDependencies,
  ended: Run,
  { emit, signal }: Pick<Execution, "emit" | "signal">,
): Promise<Run> {
  const { store, announce, within = alone } = dependencies;
  // A list of records is without their results.
  const run = (await store.find(ended.id).catch(() => undefined)) ?? ended;
  const record = openRecord(dependencies, run, { emit, isResumed: true });
  const aside = oneAfterAnother(signal);
  const context = { run, step: record.writes.step, meanwhile: aside.begin };
  within(run, () => run.untold?.forEach((event) => announce?.(context, event)));
  await finishReports(dependencies, { run, record, aside });
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

async function finishReports(
  { log, monitor }: RunsDependencies,
  { run, record, aside }: Ending,
): Promise<void> {
  await aside.ended();
  await monitor?.ended({ ...run, steps: record.current().steps }, record.writes.step);
  const unsent = aside.unsent();
  await record.settle(unsent.length === 0 ? undefined : unsent).catch((error: unknown) => {
    log.warn("run not recorded", { run: run.id, error: String(error) });
  });
}

/** The background tasks of a run: no caller gets their result. */
function oneAfterAnother(signal: AbortSignal) {
  let last = Promise.resolve();
  const unsent = new Set<OutcomeEvent>();
  return {
    begin: (task: (signal: AbortSignal) => Promise<void>, event?: OutcomeEvent): void => {
      if (event !== undefined) unsent.add(event);
      const done = last.then(() => task(signal)).then(() => void (event && unsent.delete(event)));
      last = done.catch(() => undefined);
    },
    ended: (): Promise<void> => last,
    unsent: (): readonly OutcomeEvent[] => [...unsent],
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
