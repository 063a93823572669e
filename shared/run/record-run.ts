import type { Log } from "../log.ts";
import type { Run, RunContext, RunStep, RunStore } from "./run.ts";
import { DormouseError } from "../errors.ts";

export type RecordDependencies = {
  readonly store: RunStore;
  readonly log: Log;
  readonly now: () => Date;
};

type Given = { readonly tell: (step: RunStep) => void; readonly isResumed: boolean };

export type RunRecord = {
  readonly writes: Pick<RunContext, "step" | "amend" | "refresh" | "progress">;
  current(): Run;
  /** Writes how the run ended, unless another process has it by now. */
  end(last: Run): Promise<void>;
};

/** The record of a run as it grows: whatever is written is on the volume before it resolves. */
export function openRecord(dependencies: RecordDependencies, recorded: Run, given: Given): RunRecord {
  const { store } = dependencies;
  let run = recorded;
  let isOurs = false;

  async function write(next: Run): Promise<void> {
    run = next;
    if (isTakenOver(run, await store.find(run.id))) throw takenOver(run);
    await store.update(run);
    isOurs = true;
  }

  /** A process that wrote nothing does not know what another one has written meanwhile, and leaves that unchanged. */
  async function end(last: Run): Promise<void> {
    const known = last.kind === "restore" ? await store.find(last.id) : undefined;
    const isNewer = !isOurs && known !== undefined && known.updatedAt > recorded.updatedAt;
    if (!isNewer && !isTakenOver(last, known)) await store.update(last);
  }

  const place = { current: () => run, write, believe: (known: Run) => void (run = known) };
  return { writes: createWrites(dependencies, place, given), end, current: place.current };
}

type Place = {
  readonly current: () => Run;
  readonly write: (next: Run) => Promise<void>;
  readonly believe: (known: Run) => void;
};

function createWrites(
  { store, log, now }: RecordDependencies,
  { current, write, believe }: Place,
  { tell, isResumed }: Given,
): RunRecord["writes"] {
  let isFirst = !isResumed;
  return {
    async step(name, detail) {
      const taken: RunStep = { step: name, at: now(), ...(detail === undefined ? {} : { detail }) };
      const run = current();
      log.info(`step ${name}`, { run: run.id, ...detail });
      tell(taken);
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
    progress: (detail) => tell({ step: "progress", at: now(), detail }),
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
  return new DormouseError("run_superseded", `restore ${id} was taken up by another process`, {
    hint: `GET /runs/${id} tells how it stands`,
  });
}
