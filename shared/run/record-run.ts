import type { Log } from "../log.ts";
import { isUnfinished, type Run, type RunContext, type RunStep, type RunStore } from "./run.ts";
import { DormouseError } from "../errors.ts";

export type RecordDependencies = {
  readonly store: RunStore;
  readonly log: Log;
};

type Given = { readonly emit: (step: RunStep) => void; readonly isResumed: boolean };

export type RunRecord = {
  readonly writes: Pick<RunContext, "step" | "amend" | "refresh" | "progress">;
  current(): Run;
  /** Writes how the run ended, unless another process has it by now. Steps that come later wait for `settle`. */
  end(last: Run): Promise<void>;
  /** Writes them, and `untold`; nothing where neither has changed, or another process has the run. */
  settle(untold: Run["untold"]): Promise<void>;
};

/** The record of a run as it grows: whatever is written is on the volume before it resolves. */
export function openRecord(dependencies: RecordDependencies, recorded: Run, given: Given): RunRecord {
  const { store } = dependencies;
  let run = recorded;
  let isOurs = false;
  let ended: Run | undefined = isUnfinished(recorded) ? undefined : recorded;

  async function write(next: Run): Promise<void> {
    run = ended === undefined ? next : { ...run, steps: next.steps };
    if (ended !== undefined) return;
    if (isTakenOver(run, await store.find(run.id))) throw takenOver(run);
    await store.update(run);
    isOurs = true;
  }

  /** A process that wrote nothing does not know what another one has written meanwhile, and leaves that unchanged. */
  async function end(last: Run): Promise<void> {
    const known = last.kind === "restore" ? await store.find(last.id) : undefined;
    const isNewer = !isOurs && known !== undefined && known.updatedAt > recorded.updatedAt;
    ended = last;
    run = last;
    if (!isNewer && !isTakenOver(last, known)) await store.update(last);
  }

  async function settle(untold: Run["untold"]): Promise<void> {
    const { steps } = run;
    if (ended === undefined || (ended.untold === untold && ended.steps.length === steps.length)) return;
    const known = await store.find(run.id);
    if (known?.state === run.state && known.attempt === run.attempt)
      await store.update({ ...known, steps, untold });
  }

  const place = { current: () => run, write, believe: (known: Run) => void (run = known) };
  return { writes: createWrites(dependencies, place, given), end, settle, current: place.current };
}

type Place = {
  readonly current: () => Run;
  readonly write: (next: Run) => Promise<void>;
  readonly believe: (known: Run) => void;
};

function createWrites(
  { store, log }: RecordDependencies,
  { current, write, believe }: Place,
  { emit, isResumed }: Given,
): RunRecord["writes"] {
  let isFirst = !isResumed;
  return {
    async step(name, detail) {
      const taken: RunStep = { step: name, at: new Date(), ...(detail === undefined ? {} : { detail }) };
      const run = current();
      log.info(`step ${name}`, { run: run.id, ...detail });
      emit(taken);
      await write({ ...run, state: "running", steps: [...run.steps, taken] });
    },
    amend: (changes) => write({ ...current(), state: "running", ...changes }),
    async refresh() {
      const run = current();
      const known = (await store.find(run.id)) ?? run;
      const attempt = known.attempt + (isFirst ? 0 : 1);
      isFirst = false;
      believe({ ...known, attempt, problem: undefined, finishedAt: undefined });
      return { ...known, attempt };
    },
    progress: (detail) => emit({ step: "progress", at: new Date(), detail }),
  };
}

/**
 * Each process that takes a restore up counts one more attempt, once it holds the lock: one that finds more of them than
 * its own, or the end, has lost the lock without noticing, and must neither write nor go on. A backup does no harm.
 */
function isTakenOver({ kind, attempt }: Run, known: Run | undefined): boolean {
  if (kind !== "restore" || known === undefined) return false;
  return known.attempt > attempt || known.state === "succeeded" || known.state === "failed";
}

function takenOver({ id }: Run): DormouseError {
  return new DormouseError("run_superseded", `restore ${id} was resumed by another process`, {
    hint: `GET /runs/${id} shows how it stands`,
  });
}
