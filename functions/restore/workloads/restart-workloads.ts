import type { RecordedReplicas } from "../journal/journal.ts";
import type { RestartedWorkload } from "../journal/restore-result.ts";
import { workloadText } from "./workload.ts";
import { asDormouseError, type ErrorCode } from "../../../shared/errors.ts";
import type { RestoreDependencies } from "../restore-dependencies.ts";
import type { JournaledRun } from "../journal/journaled-run.ts";

/**
 * Stops the workloads in the reverse of their order, each until its last pod is gone. Their replicas are in the journal
 * before the first one is stopped, and a run that is taken up believes its journal, not what it sees.
 */
export async function stopWorkloads(deps: RestoreDependencies, saga: JournaledRun): Promise<void> {
  const { workloads, settings } = deps;
  const { signal, step } = saga.context;
  const recorded = saga.journal().workloads ?? (await readReplicas(deps, signal));
  if (recorded.length === 0) return;
  await saga.write({ phase: "stopping", workloads: recorded, downSince: downSince(deps, saga) });
  for (const { replicas, ...workload } of recorded.toReversed()) {
    const { replicas: now } = await workloads.read(workload, signal);
    if (now !== 0) await workloads.scale(workload, replicas, 0, signal);
    await workloads.awaitStopped(workload, settings.stopLimitMs, signal);
    await step("stopped", { workload: workloadText(workload), replicas });
  }
}

/** When the application lost its database, as the journal has it, or now. */
export function downSince({ now }: Pick<RestoreDependencies, "now">, saga: JournaledRun): string {
  return saga.journal().downSince ?? now().toISOString();
}

async function readReplicas(deps: RestoreDependencies, signal: AbortSignal): Promise<RecordedReplicas[]> {
  const recorded: RecordedReplicas[] = [];
  for (const workload of deps.settings.workloads) {
    const { replicas } = await deps.workloads.read(workload, signal);
    recorded.push({ ...workload, replicas });
  }
  return recorded;
}

/**
 * Starts the workloads in their order with the replicas of the journal, each until it is ready. One that does not become
 * ready is told of and keeps its replicas: the database is in order, and what is wrong with the pod is not ours to undo.
 * One that cannot be started yet does not keep the others from it.
 */
export async function startWorkloads(
  deps: RestoreDependencies,
  saga: JournaledRun,
  readyLimitMs = deps.settings.readyLimitMs,
): Promise<RestartedWorkload[]> {
  const started: RestartedWorkload[] = [];
  const failures: unknown[] = [];
  for (const recorded of saga.journal().workloads ?? []) {
    try {
      const outcome = await startWorkload(deps, recorded, { readyLimitMs, signal: saga.context.signal });
      started.push(outcome);
      await saga.context.step("started", { ...outcome });
    } catch (error) {
      saga.context.signal.throwIfAborted();
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return started;
}

/** What waiting and trying again would not change, and the database has no part in. */
const NOT_OURS_TO_MEND: ReadonlySet<ErrorCode> = new Set([
  "workload_not_ready",
  "workload_changed",
  "workload_not_found",
]);

async function startWorkload(
  { workloads }: RestoreDependencies,
  { replicas, ...workload }: RecordedReplicas,
  { readyLimitMs, signal }: { readonly readyLimitMs: number; readonly signal: AbortSignal },
): Promise<RestartedWorkload> {
  const text = { workload: workloadText(workload), replicas };
  if (replicas === 0) return { ...text, ready: false, why: "it had no replicas before the restore either" };
  try {
    const { replicas: now } = await workloads.read(workload, signal);
    if (now !== 0 && now !== replicas) {
      const why = `another client set it to ${now} replicas meanwhile; it was left so`;
      return { ...text, ready: false, why };
    }
    if (now !== replicas) await workloads.scale(workload, 0, replicas, signal);
    await workloads.awaitReady(workload, replicas, readyLimitMs, signal);
    return { ...text, ready: true };
  } catch (error) {
    const { code, message } = asDormouseError(error);
    if (!NOT_OURS_TO_MEND.has(code)) throw error;
    return { ...text, ready: false, why: message };
  }
}
