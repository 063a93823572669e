import type { Run, RunContext, RunStep, RunStore } from "../backup/run.ts";
import { asDormouseError } from "../errors.ts";
import type { Log } from "../log.ts";

/** Does the work of a run; what it returns becomes the run's result. */
export type Work = (context: RunContext) => Promise<unknown>;

export type RunsDependencies = {
  readonly store: RunStore;
  readonly log: Log;
  readonly now: () => Date;
  /** Called for as long as a run is active: keeps the pod from being scaled away. */
  readonly whileActive?: ((signal: AbortSignal) => Promise<void>) | undefined;
};

/** Never rejects: what went wrong is in the record that it resolves to. */
export async function carryOut(
  { store, log, now, whileActive }: RunsDependencies,
  recorded: Run,
  work: Work,
  { tell, signal }: { readonly tell: (step: RunStep) => void; readonly signal: AbortSignal },
): Promise<Run> {
  let run = recorded;
  const active = new AbortController();
  void whileActive?.(active.signal).catch((error: unknown) =>
    log.warn("pod not held", { error: String(error) }),
  );

  async function step(name: string, detail?: Readonly<Record<string, unknown>>): Promise<void> {
    const taken: RunStep = { step: name, at: now(), ...(detail === undefined ? {} : { detail }) };
    run = { ...run, state: "running", steps: [...run.steps, taken] };
    log.info(`step ${name}`, { run: run.id, ...detail });
    tell(taken);
    await store.update(run);
  }

  async function amend(changes: Pick<Run, "uses" | "journal" | "kept">): Promise<void> {
    run = { ...run, state: "running", ...changes };
    await store.update(run);
  }

  const progress = (detail: Readonly<Record<string, unknown>>) =>
    tell({ step: "progress", at: now(), detail });

  try {
    const result = await work({ run, signal, step, amend, progress });
    run = { ...run, state: "succeeded", finishedAt: now(), result };
  } catch (error) {
    const { code, message, hint } = asDormouseError(error);
    // What could not be settled is left for the next process, as is what a signal ended.
    const state = signal.aborted || code === "restore_unsettled" ? "interrupted" : "failed";
    run = { ...run, state, finishedAt: now(), problem: { code, message, hint } };
  } finally {
    active.abort();
  }
  await store
    .update(run)
    .catch((error: unknown) => log.error("run not recorded", { run: run.id, error: String(error) }));
  logEnd(log, run);
  return run;
}

function logEnd(log: Log, run: Run): void {
  const durationMs = (run.finishedAt?.getTime() ?? 0) - run.acceptedAt.getTime();
  const fields = { run: run.id, database: run.database, durationMs };
  if (run.problem === undefined) return log.info("run succeeded", fields);
  const { code, message, hint } = run.problem;
  log.error(`run ${run.state}`, { ...fields, code, error: message, hint });
}
