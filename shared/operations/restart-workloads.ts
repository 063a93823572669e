import type { RecordedReplicas } from "../backup/journal.ts";
import type { RestartedWorkload } from "../backup/restore-result.ts";
import { workloadText } from "../backup/workload.ts";
import { asDormouseError } from "../errors.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import type { Saga } from "./saga.ts";

/**
 * Stops the workloads in the reverse of their order, each until its last pod is gone. Their replicas are in the journal
 * before the first one is stopped, and a run that is taken up believes its journal, not what it sees.
 */
export async function stopWorkloads(deps: RestoreDependencies, saga: Saga): Promise<void> {
  const { workloads, settings } = deps;
  const { signal, step } = saga.context;
  if (settings.workloads.length === 0) return;
  const recorded = saga.journal().workloads ?? (await readReplicas(deps, signal));
  await saga.write({ phase: "stopping", workloads: recorded, downSince: downSince(deps, saga) });
  for (const { replicas, ...workload } of recorded.toReversed()) {
    const { replicas: now } = await workloads.read(workload, signal);
    if (now !== 0) await workloads.scale(workload, replicas, 0, signal);
    await workloads.awaitStopped(workload, settings.stopLimitMs, signal);
    await step("stopped", { workload: workloadText(workload), replicas });
  }
}

/** When the application lost its database, as the journal has it, or now. */
export function downSince({ now }: Pick<RestoreDependencies, "now">, saga: Saga): string {
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
 */
export async function startWorkloads(deps: RestoreDependencies, saga: Saga): Promise<RestartedWorkload[]> {
  const started: RestartedWorkload[] = [];
  for (const recorded of saga.journal().workloads ?? []) {
    const outcome = await startWorkload(deps, recorded, saga.context.signal);
    started.push(outcome);
    await saga.context.step("started", { ...outcome });
  }
  return started;
}

async function startWorkload(
  { workloads, settings }: RestoreDependencies,
  { replicas, ...workload }: RecordedReplicas,
  signal: AbortSignal,
): Promise<RestartedWorkload> {
  const text = { workload: workloadText(workload), replicas };
  const { replicas: now } = await workloads.read(workload, signal);
  if (now !== 0 && now !== replicas)
    return {
      ...text,
      ready: false,
      why: `somebody else set it to ${now} replicas meanwhile; it was left so`,
    };
  if (now !== replicas) await workloads.scale(workload, 0, replicas, signal);
  try {
    await workloads.awaitReady(workload, replicas, settings.readyLimitMs, signal);
    return { ...text, ready: true };
  } catch (error) {
    const { code, message } = asDormouseError(error);
    if (code !== "workload_not_ready" && code !== "workload_changed") throw error;
    return { ...text, ready: false, why: message };
  }
}
