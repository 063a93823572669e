import type { V1ContainerStatus, V1PodStatus } from "@kubernetes/client-node";
import type { Workload } from "../../functions/restore/workloads/workload.ts";
import { ApiStatus } from "./fake-api-server.ts";

export type Trouble = "image" | "crash" | "unschedulable" | "quota";

/** What becomes of the pods of a workload. */
export type Behaviour = {
  /** How long a pod takes to end; `never` until it is told to. */
  readonly stopMs: number | "never";
  /** How long a pod takes to be ready, or why it never is. */
  readonly startMs: number | Trouble;
  /** A controller that sets the replicas back to this as soon as they are set to 0. */
  readonly scaledBackTo?: number | undefined;
};

type FakePod = { readonly name: string; readonly since: number; endsAt?: number };

/** A workload with its controller and its pods, seen at the time of each request. */
export function fakeWorkload(
  { kind, name }: Workload,
  initial: number,
  given: Behaviour,
  version: () => string,
) {
  let replicas = initial;
  let resourceVersion = version();
  let behaviour = given;
  let made = 0;
  let evicted = 0;
  let pods: FakePod[] = [];
  const labels = { app: name };

  const make = (since: number) => {
    made += 1;
    pods.push({ name: kind === "statefulset" ? `${name}-${made - 1}` : `${name}-6d4b75cb6d-${made}`, since });
  };
  for (let count = 0; count < initial; count += 1) make(0);

  /** What the controller and the kubelet have done until now. */
  const settle = () => {
    const now = performance.now();
    pods = pods.filter(({ endsAt }) => endsAt === undefined || endsAt > now);
    const kept = pods.filter(({ endsAt }) => endsAt === undefined);
    for (const pod of kept.slice(replicas)) {
      pod.endsAt = behaviour.stopMs === "never" ? Infinity : now + behaviour.stopMs;
    }
    if (behaviour.startMs !== "quota") for (let count = kept.length; count < replicas; count += 1) make(now);
  };

  function set(to: number): void {
    replicas = to;
    resourceVersion = version();
    settle();
    if (to !== 0 || behaviour.scaledBackTo === undefined) return;
    replicas = behaviour.scaledBackTo;
    resourceVersion = version();
  }

  return {
    name,
    labels,
    set,
    get replicas() {
      return replicas;
    },
    get podNames() {
      settle();
      return pods.map((pod) => pod.name);
    },
    behave(changes: Partial<Behaviour>) {
      behaviour = { ...behaviour, ...changes };
    },
    /** As an eviction leaves it: ended, and not removed. */
    evictPod() {
      evicted += 1;
    },
    /** Ends the pods that never would. */
    endPods() {
      for (const pod of pods) if (pod.endsAt !== undefined) pod.endsAt = 0;
    },
    scale: () => {
      settle();
      // Terminating pods are not counted, and a 0 is left out.
      const current = pods.filter(({ endsAt }) => endsAt === undefined).length;
      const common = { metadata: { name, resourceVersion }, spec: replicas === 0 ? {} : { replicas } };
      if (kind !== "deploymentconfig") {
        const status = { replicas: current, selector: `app=${name}` };
        return { kind: "Scale", apiVersion: "autoscaling/v1", ...common, status };
      }
      const status = { replicas: current, selector: labels, targetSelector: `app=${name}` };
      return { kind: "Scale", apiVersion: "extensions/v1beta1", ...common, status };
    },
    writeScale(scale: Record<string, unknown>) {
      const { metadata, spec } = scale as {
        metadata?: { resourceVersion?: string };
        spec?: { replicas?: number };
      };
      if (metadata?.resourceVersion !== undefined && metadata.resourceVersion !== resourceVersion) {
        throw new ApiStatus(
          409,
          "Conflict",
          `Operation cannot be fulfilled on ${kind}s.apps "${name}": the object has been modified`,
        );
      }
      set(spec?.replicas ?? 0);
    },
    pods: () => {
      settle();
      const gone = Array.from({ length: evicted }, (_, index) =>
        evictedPod(`${name}-evicted-${index}`, labels),
      );
      return [...pods.map((pod) => toPod(pod, labels, behaviour)), ...gone];
    },
    events: () => (behaviour.startMs === "quota" && pods.length < replicas ? [quotaEvent(kind, name)] : []),
  };
}

export type FakeWorkload = ReturnType<typeof fakeWorkload>;

function toPod(
  { name, since, endsAt }: FakePod,
  labels: Record<string, string>,
  { startMs }: Behaviour,
): unknown {
  const isReady = typeof startMs === "number" && performance.now() >= since + (since === 0 ? 0 : startMs);
  const trouble = typeof startMs === "string" && since !== 0 ? startMs : undefined;
  const status = trouble === undefined ? readStatus(isReady) : TROUBLES[trouble];
  const deletion = endsAt === undefined ? {} : { deletionTimestamp: new Date().toISOString() };
  return { metadata: { name, labels, ...deletion }, status };
}

function evictedPod(name: string, labels: Record<string, string>): unknown {
  return { metadata: { name, labels }, status: { phase: "Failed", reason: "Evicted" } };
}

function readStatus(isReady: boolean): V1PodStatus {
  return {
    phase: "Running",
    conditions: [{ type: "Ready", status: isReady ? "True" : "False" }],
    containerStatuses: [container({ ready: isReady, state: { running: {} } })],
  };
}

function container(given: Partial<V1ContainerStatus>): V1ContainerStatus {
  return { name: "app", image: "app", imageID: "", ready: false, restartCount: 0, ...given };
}

const NOT_READY = { type: "Ready", status: "False" };
const TROUBLES: Readonly<Record<Trouble, V1PodStatus>> = {
  quota: {},
  image: {
    phase: "Pending",
    conditions: [NOT_READY],
    containerStatuses: [
      container({
        state: { waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "app:none"' } },
      }),
    ],
  },
  crash: {
    phase: "Running",
    conditions: [NOT_READY],
    containerStatuses: [
      container({
        state: {
          waiting: { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container" },
        },
        lastState: { terminated: { exitCode: 3, reason: "Error" } },
        restartCount: 2,
      }),
    ],
  },
  unschedulable: {
    phase: "Pending",
    conditions: [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes are available" },
    ],
  },
};

function quotaEvent(kind: Workload["kind"], name: string): unknown {
  const involvedObject =
    kind === "statefulset"
      ? { kind: "StatefulSet", name }
      : { kind: "ReplicaSet", name: `${name}-6d4b75cb6d` };
  const message = `Error creating: pods "${name}-" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0`;
  const metadata = { name: `${name}.17`, namespace: "hets" };
  return {
    metadata,
    type: "Warning",
    reason: "FailedCreate",
    involvedObject,
    message,
    lastTimestamp: new Date().toISOString(),
  };
}
