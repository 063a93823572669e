import { setTimeout as pause } from "node:timers/promises";
import type { CoreV1Event, V1Pod } from "@kubernetes/client-node";
import { type Workload, type Workloads, workloadText } from "./workload.ts";
import { DormouseError } from "../../../shared/errors.ts";
import { ApiRefusal, type CallCluster } from "../../../shared/kubernetes/client.ts";
import { isAlive, isReady, podName, findTrouble } from "./pod-troubles.ts";
import { changed, ofWorkload, readScale, type Scale, writeScale } from "./scale.ts";

/** The application is down meanwhile. */
const POLL_MS = 250;

/** The workloads of the function's own namespace. Asking again and again is cheaper than a watch for a few seconds. */
export function kubernetesWorkloads(call: CallCluster, pollMs = POLL_MS): Workloads {
  return {
    async read(workload, signal) {
      const { replicas, selector } = await readScale(call, workload, signal);
      const pods = (await listPods(call, workload, selector, signal)).filter(isAlive);
      return { replicas, pods: pods.length, autoscalers: await listAutoscalers(call, workload, signal) };
    },
    scale: (workload, from, to, signal) => writeScale(call, workload, { from, to }, signal),
    awaitStopped: (workload, limitMs, signal) =>
      poll({ pollMs, limitMs, signal }, () => stopped(call, workload, signal)),
    awaitReady: (workload, replicas, limitMs, signal) =>
      poll({ pollMs, limitMs, signal }, () => ready(call, workload, replicas, signal)),
  };
}

/** What is still lacking: an error to end with when the time is over, or nothing. */
type Omission = DormouseError | undefined;

type Patience = { readonly pollMs: number; readonly limitMs: number; readonly signal: AbortSignal };

/** Looks until nothing is lacking. An API that does not answer for a while is only one more thing that is lacking. */
async function poll({ pollMs, limitMs, signal }: Patience, look: () => Promise<Omission>): Promise<void> {
  const endsAt = performance.now() + limitMs;
  for (;;) {
    const lack = await look().catch((error: unknown) => {
      if (error instanceof DormouseError && error.code === "cluster_unreachable") return error;
      throw error;
    });
    if (lack === undefined) return;
    if (performance.now() + pollMs > endsAt) throw lack;
    await pause(pollMs, undefined, { signal });
  }
}

async function stopped(call: CallCluster, workload: Workload, signal: AbortSignal): Promise<Omission> {
  const { replicas, currentReplicas, selector } = await readScale(call, workload, signal);
  if (replicas !== 0) throw changed(workload, `it was stopped and is set to ${replicas} again`);
  const pods = (await listPods(call, workload, selector, signal)).filter(isAlive);
  // Its controller may be about to make a pod until it has seen the 0.
  if (pods.length === 0 && currentReplicas === 0) return undefined;
  const left = pods.length === 0 ? "its controller has not seen it yet" : pods.map(podName).join(", ");
  return new DormouseError("workload_not_stopped", `${workloadText(workload)} did not stop: ${left}`, {
    hint: "look at these pods: a finalizer, a node that is gone, or a long terminationGracePeriodSeconds",
  });
}

async function ready(
  call: CallCluster,
  workload: Workload,
  wanted: number,
  signal: AbortSignal,
): Promise<Omission> {
  const scale = await readScale(call, workload, signal);
  const pods = (await listPods(call, workload, scale.selector, signal)).filter(isAlive);
  const count = pods.filter(isReady).length;
  if (count >= wanted) return undefined;
  const why = await whyNotReady(call, workload, { scale, pods, wanted }, signal);
  const name = workloadText(workload);
  return new DormouseError("workload_not_ready", `${name} has ${count} of ${wanted} pods ready: ${why}`, {
    hint: "its replicas are set; it comes up by itself when this is mended",
  });
}

type Seen = { readonly scale: Scale; readonly pods: readonly V1Pod[]; readonly wanted: number };

async function whyNotReady(
  call: CallCluster,
  workload: Workload,
  { scale, pods, wanted }: Seen,
  signal: AbortSignal,
): Promise<string> {
  if (scale.replicas < wanted) return `it is set to ${scale.replicas} replicas`;
  const troubles = pods.filter((pod) => !isReady(pod)).map(findTrouble);
  if (pods.length >= wanted) return troubles.join("; ");
  const refusal = await refusalToMakePods(call, workload, signal);
  return [refusal ?? `${wanted - pods.length} pods were not made`, ...troubles].join("; ");
}

async function listPods(
  call: CallCluster,
  workload: Workload,
  labelSelector: string,
  signal: AbortSignal,
): Promise<readonly V1Pod[]> {
  try {
    const { items } = await call(signal, ({ core, namespace }, options) =>
      core.listNamespacedPod({ namespace, labelSelector }, options),
    );
    return items;
  } catch (error) {
    throw ofWorkload(error, workload, "seen: its pods are hidden");
  }
}

const MAKERS = {
  deployment: "ReplicaSet",
  statefulset: "StatefulSet",
  deploymentconfig: "ReplicationController",
};

/** The newest complaint of the controller that makes the pods: a quota, an admission rule. */
async function refusalToMakePods(
  call: CallCluster,
  workload: Workload,
  signal: AbortSignal,
): Promise<string | undefined> {
  const fieldSelector = `reason=FailedCreate,involvedObject.kind=${MAKERS[workload.kind]}`;
  const events = await unlessForbidden(
    call(signal, async ({ core, namespace }, options) => {
      const { items } = await core.listNamespacedEvent({ namespace, fieldSelector }, options);
      return items;
    }),
  );
  const own = (events ?? []).filter(({ involvedObject }) => isMaker(workload, involvedObject.name ?? ""));
  return own.toSorted((a, b) => happenedAt(b) - happenedAt(a))[0]?.message;
}

/** A stateful set makes its pods itself; the others by a set that is named after them. */
function isMaker({ kind, name }: Workload, maker: string): boolean {
  if (kind === "statefulset") return maker === name;
  return maker.startsWith(`${name}-`) && /^[a-z0-9]+$/.test(maker.slice(name.length + 1));
}

function happenedAt({ lastTimestamp, eventTime }: CoreV1Event): number {
  return new Date(lastTimestamp ?? eventTime ?? 0).getTime();
}

/** By name; `undefined` where the right to look is lacking. */
async function listAutoscalers(
  call: CallCluster,
  { kind, name }: Workload,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const all = await unlessForbidden(
    call(signal, async ({ autoscaling, namespace }, options) => {
      const { items } = await autoscaling.listNamespacedHorizontalPodAutoscaler({ namespace }, options);
      return items;
    }),
  );
  return all
    ?.filter(({ spec }) => {
      const target = spec?.scaleTargetRef;
      return target?.kind.toLowerCase() === kind && target.name === name;
    })
    .map(({ metadata }) => `horizontalpodautoscaler/${metadata?.name}`);
}

/** What only explains or warns must not stop a restore where the right to see it is lacking. */
async function unlessForbidden<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ApiRefusal) return undefined;
    throw error;
  }
}
