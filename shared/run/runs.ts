import { setTimeout as pause } from "node:timers/promises";
import {
  type Admission,
  isOwnedElsewhere,
  isUnfinished,
  type NewRun,
  type Run,
  type RunStep,
  type RunStore,
} from "./run.ts";
import { unlessAborted } from "../waiting.ts";
import { DormouseError } from "../errors.ts";
import { executeRun, announceEnded, type RunsDependencies, type Work } from "./execute-run.ts";

/** A requested run, carried out by this process or another. */
export type StartedRun = {
  readonly run: Run;
  readonly isNew: boolean;
  /** Calls `listener` with each step, those already taken first; returns how to stop that. */
  subscribe(listener: (step: RunStep) => void): () => void;
  /** The record at the end, in whatever state. `signal` ends the waiting and nothing else. */
  readonly finished: (signal: AbortSignal) => Promise<Run>;
};

export type Limits = Pick<Admission, "answeredBy"> & { readonly atMost?: number };

export type Runs = {
  /**
   * Records the run, or finds the one that this trigger has, and sees to it that it is carried out. Throws `overloaded`
   * before it records one beyond those that may be under way: `atMost`.
   */
  start(wanted: NewRun, work: Work, limits?: Limits): Promise<StartedRun>;
  /** Carries out a recorded run once more. */
  resumeRun(run: Run, work: Work): StartedRun;
  /** Sends the events of ended runs that an earlier process left unsent. */
  sendUnsent(kind: Run["kind"], covers: (database: string) => boolean): Promise<void>;
  find(id: string): Promise<Run | undefined>;
  /** The newest that can be believed, newest first, without their journals and results. */
  latest(kind: Run["kind"], covers: (database: string) => boolean): Promise<readonly Run[]>;
  /** Waits `graceMs` for the runs that are active, then aborts them with `reason` and waits for their end. */
  settle(graceMs: number, reason: DormouseError): Promise<void>;
};

type ActiveRun = {
  readonly steps: RunStep[];
  readonly listeners: Set<(step: RunStep) => void>;
  /** When this process has done with it. */
  readonly end: Promise<Run>;
  readonly finished: StartedRun["finished"];
};

const POLL_MS = 1_000;
/** Each has a session of the server, and a listing or a plan in memory: a pod of 512 MiB has room for these. */
const MAX_RUNS = 16;
/** Two months of daily work, or what a caller can look through. */
const MAX_LATEST = 60;
/** What comes without a token leaves room for a person. */
export const MAX_RUNS_OF_EVENTS = 8;

/** Runs outlive the requests that asked for them; each is known by its record on the volume. */
export function createRuns(dependencies: RunsDependencies): Runs {
  const { store } = dependencies;
  const active = new Map<string, ActiveRun>();
  /** Runs that this process left to the next one that is asked. */
  const left = new Set<string>();
  const stopping = new AbortController();
  const admission = admissions(active);

  function launch(run: Run, work: Work, isResumed: boolean): StartedRun {
    const known = active.get(run.id);
    if (known !== undefined) return watch(run, false, known);
    const { emit, recorded, outcome, ...subscribers } = subscribersOf(run);
    const end = executeRun(dependencies, run, work, { emit, recorded, signal: stopping.signal, isResumed });
    const finished: ActiveRun["finished"] = (signal) => toOutcome(store, outcome, signal, stopping.signal);
    active.set(run.id, { ...subscribers, end, finished });
    void end.then(({ problem }) => {
      active.delete(run.id);
      if (problem !== undefined && isOwnedElsewhere(problem.code)) left.add(run.id);
    });
    return watch(run, true, { ...subscribers, end, finished });
  }

  return {
    async start(wanted, work, { atMost = MAX_RUNS, answeredBy } = {}) {
      if (stopping.signal.aborted) throw stopping.signal.reason;
      using admitted = admission(atMost);
      const { run, isNew } = await store.begin(wanted, { admit: admitted.admit, answeredBy });
      const known = active.get(run.id);
      // A run that failed this very moment is begun again, when it has ended for us as well.
      if (isNew) await known?.end;
      else if (known !== undefined) return watch(run, false, known);
      // A second request need not wait for another process, which may never exist.
      const isResumed = left.delete(run.id) && isUnfinished(run);
      return isNew || isResumed ? launch(run, work, isResumed) : watchElsewhere(store, run);
    },
    resumeRun: (run, work) => launch(run, work, true),
    ...recordsOf(dependencies, active, stopping.signal),
    async settle(graceMs, reason) {
      const ends = () => Promise.all([...active.values()].map(({ end }) => end));
      await Promise.race([ends(), pause(graceMs, undefined, { ref: false })]);
      stopping.abort(reason);
      await ends();
    },
  };
}

function recordsOf(
  dependencies: RunsDependencies,
  active: Map<string, ActiveRun>,
  stopping: AbortSignal,
): Pick<Runs, "find" | "latest" | "sendUnsent"> {
  const { store } = dependencies;
  return {
    /** Each is active until all is sent: a process that must end waits for that. */
    async sendUnsent(kind, covers) {
      const all = await store.all(kind);
      const left = all.filter(
        (run) =>
          run.untold !== undefined && !isUnfinished(run) && covers(run.database) && !active.has(run.id),
      );
      for (const run of left) {
        const { steps, listeners, emit } = subscribersOf(run);
        const end = announceEnded(dependencies, run, { emit, signal: stopping });
        active.set(run.id, { steps, listeners, end, finished: (given) => unlessAborted(end, given) });
        void end.then(() => active.delete(run.id));
      }
    },
    find: (id) => store.find(id),
    async latest(kind, covers) {
      const own = (await store.all(kind)).filter(({ database }) => covers(database));
      const newest = own.toReversed().slice(0, MAX_LATEST);
      return newest.map((run) => ({ ...run, journal: undefined }));
    },
  };
}

/** Counts a run as begun from its admission, which comes before its record and before it is active. */
function admissions(active: ReadonlyMap<string, unknown>) {
  let beginning = 0;
  return (atMost: number) => {
    let isAdmitted = false;
    return {
      admit: (): void => {
        if (isAdmitted) return;
        if (active.size + beginning >= atMost) throw overloaded(active.size);
        isAdmitted = true;
        beginning += 1;
      },
      [Symbol.dispose]: () => void (beginning -= isAdmitted ? 1 : 0),
    };
  };
}

function overloaded(count: number): DormouseError {
  return new DormouseError("overloaded", `${count} runs are under way, and no more are begun`, {
    hint: "ask again when one of them has ended",
  });
}

/** The listeners of a run, its steps so far, and the callers that wait for its end. */
function subscribersOf(run: Run) {
  const steps = [...run.steps];
  const listeners = new Set<(step: RunStep) => void>();
  const emit = (step: RunStep) => {
    if (step.step !== "progress") steps.push(step);
    listeners.forEach((listener) => listener(step));
  };
  const { promise: outcome, resolve: recorded } = Promise.withResolvers<Run>();
  return { steps, listeners, emit, outcome, recorded };
}

function watch(run: Run, isNew: boolean, { steps, listeners, finished }: ActiveRun): StartedRun {
  return {
    run,
    isNew,
    subscribe(listener) {
      steps.forEach(listener);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    finished,
  };
}

function watchElsewhere(store: RunStore, run: Run): StartedRun {
  return {
    run,
    isNew: false,
    subscribe(listener) {
      run.steps.forEach(listener);
      return () => undefined;
    },
    finished: (signal) => endElsewhere(store, run, signal),
  };
}

/** Resolves with the final state, even if another process had the lock first and ran it. */
async function toOutcome(
  store: RunStore,
  end: Promise<Run>,
  signal: AbortSignal,
  stopping: AbortSignal,
): Promise<Run> {
  const run = await unlessAborted(end, signal);
  if (run.problem?.code !== "run_superseded") return run;
  return endElsewhere(store, run, AbortSignal.any([signal, stopping])).catch((error: unknown) => {
    if (stopping.aborted) return run;
    throw error;
  });
}

/** Another process has the run: its record shows how it ends. */
async function endElsewhere(store: RunStore, begun: Run, signal: AbortSignal): Promise<Run> {
  for (;;) {
    const run = (await store.find(begun.id)) ?? begun;
    if (run.state !== "accepted" && run.state !== "running") return run;
    await pause(POLL_MS, undefined, { signal });
  }
}
