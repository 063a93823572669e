import type { V1ContainerStateWaiting, V1ContainerStatus, V1Pod } from "@kubernetes/client-node";

/** A pod that is there, ending or not. What has ended for good holds no session, and stays. */
export function isAlive({ status }: V1Pod): boolean {
  return status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

export function isReady({ metadata, status }: V1Pod): boolean {
  if (metadata?.deletionTimestamp !== undefined) return false;
  return status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;
}

export function podName({ metadata }: V1Pod): string {
  return metadata?.name ?? "a pod without a name";
}

/** Why a pod does not become ready, in one sentence. */
export function findTrouble(pod: V1Pod): string {
  return `${podName(pod)}: ${scheduling(pod) ?? containers(pod) ?? pod.status?.message ?? phase(pod)}`;
}

function scheduling({ status }: V1Pod): string | undefined {
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status !== "False") return undefined;
  return `cannot be scheduled: ${scheduled.message ?? scheduled.reason ?? "no reason given"}`;
}

function containers({ status }: V1Pod): string | undefined {
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return all.map(containerTrouble).find((trouble) => trouble !== undefined);
}

function containerTrouble(container: V1ContainerStatus): string | undefined {
  const { name, ready, state = {} } = container;
  if (state.waiting !== undefined) return waitingTrouble(container, state.waiting);
  if (state.running !== undefined) {
    return ready ? undefined : `container ${name} runs and is not ready${lastExit(container) ?? ""}`;
  }
  const exitCode = state.terminated?.exitCode ?? 0;
  return exitCode === 0 ? undefined : `container ${name} ended with exit code ${exitCode}`;
}

function waitingTrouble(
  container: V1ContainerStatus,
  { reason = "waiting", message }: V1ContainerStateWaiting,
): string | undefined {
  // A pod on its way; what holds it up stands in another container, or nowhere.
  if (reason === "PodInitializing" || reason === "ContainerCreating") return undefined;
  return `container ${container.name} is in ${reason}${lastExit(container) ?? said(message)}`;
}

function lastExit({ lastState, restartCount }: V1ContainerStatus): string | undefined {
  const ended = lastState?.terminated;
  if (ended === undefined) return undefined;
  const reason = ended.reason === undefined || ended.reason === "Error" ? "" : ` (${ended.reason})`;
  return `: it ended with exit code ${ended.exitCode}${reason} and was restarted ${restartCount} times`;
}

function said(message: string | undefined): string {
  return message === undefined ? "" : `: ${message}`;
}

function phase({ status }: V1Pod): string {
  return `is ${(status?.phase ?? "Unknown").toLowerCase()} and not ready`;
}
