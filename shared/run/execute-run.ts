import { isOwnedElsewhere, type Run, type RunContext, type RunStep } from "./run.ts";
import { problemFrom } from "../errors.ts";
import type { Log } from "../log.ts";
import { openRecord, type RecordDependencies } from "./record-run.ts";

/** Does the work of a run; what it returns becomes the run's result. */
export type Work = (context: RunContext) => Promise<unknown>;

export type RunsDependencies = RecordDependencies & {
  /** Called for as long as a run is active: keeps the pod from being scaled away. */
  readonly whileActive?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Hears of each run's begin and end. Neither rejects; the pod is kept until the second has resolved. */
  readonly monitor?: RunMonitor | undefined;
};

export type RunMonitor = { begun(run: Run): Promise<void>; ended(run: Run): Promise<void> };

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
  const { log, now, whileActive, monitor } = dependencies;
  const record = openRecord(dependencies, begun, { tell, isResumed });
  const active = new AbortController();
  void whileActive?.(active.signal).catch((error: unknown) =>
    log.warn("keep-alive request failed", { error: String(error) }),
  );

  const begunTold = monitor?.begun(begun);
  const aside = oneAfterAnother(signal);
  let run: Run;
  try {
    const { writes } = record;
    const result = await work({ run: begun, isResumed, signal, ...writes, meanwhile: aside.begin });
    run = { ...record.current(), state: "succeeded", finishedAt: now(), result };
  } catch (error) {
    const problem = problemFrom(error);
    // What could not be settled is left for the next process, as is what a signal ended.
    const state = signal.aborted || isOwnedElsewhere(problem.code) ? "interrupted" : "failed";
    run = { ...record.current(), state, finishedAt: now(), problem };
  }
  if (!mayBeNewer(run)) {
    await record.end(run).catch((error: unknown) => {
      log.error("run not recorded", { run: run.id, error: String(error) });
    });
  }
  recorded(run);
  await aside.ended();
  await begunTold;
  await monitor?.ended(run);
  active.abort();
  logEnd(log, run);
  return run;
}

/** The background tasks of a run: no caller gets their result. */
function oneAfterAnother(signal: AbortSignal) {
  let last = Promise.resolve();
  return {
    begin: (task: (signal: AbortSignal) => Promise<void>): void => {
      last = last.then(() => task(signal)).catch(() => undefined);
    },
    ended: (): Promise<void> => last,
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
