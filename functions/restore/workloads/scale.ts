import type { V1Scale } from "@kubernetes/client-node";
import { type Workload, workloadText } from "./workload.ts";
import { DormouseError } from "../../../shared/errors.ts";
import {
  ApiRefusal,
  asJsonPatch,
  type CallCluster,
  type CallOptions,
  type Cluster,
} from "../../../shared/kubernetes/client.ts";

/** The scale subresource: all that we may see and change of a workload. */
export type Scale = {
  readonly resourceVersion: string;
  readonly replicas: number;
  /** What the controller has made of it so far; pods that are ending are not counted. */
  readonly currentReplicas: number;
  /** Label selector of the pods. */
  readonly selector: string;
};

type PatchOperation = { readonly op: "test" | "add"; readonly path: string; readonly value: unknown };

/** The status of a deployment changes many times while it rolls out, and each change is a new version. */
const MAX_TRIES = 10;

export async function readScale(call: CallCluster, workload: Workload, signal: AbortSignal): Promise<Scale> {
  try {
    return parseScale(await call(signal, (cluster, options) => read(cluster, workload, options)), workload);
  } catch (error) {
    throw ofWorkload(error, workload, "read");
  }
}

/**
 * From `from` to `to`, or `workload_changed`. The version is what is compared: the API leaves out `replicas` when it is
 * 0 (https://github.com/kubernetes/api/blob/v0.35.4/autoscaling/v1/types.go), so that no test of its value passes then.
 */
export async function writeScale(
  call: CallCluster,
  workload: Workload,
  { from, to }: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const { replicas, resourceVersion } = await readScale(call, workload, signal);
    if (replicas !== from) throw changed(workload, `it is set to ${replicas}, not to ${from}`);
    if (await patch(call, workload, { resourceVersion, to }, signal)) return;
  }
  throw changed(workload, "it changes all the time");
}

export function changed(workload: Workload, why: string): DormouseError {
  const name = workloadText(workload);
  return new DormouseError("workload_changed", `another client scales ${name}: ${why}`, {
    hint: "stop what scales it for the time of the restore: an autoscaler, GitOps, a person",
  });
}

/** Whether the patch was taken; `false` when the workload has another version by now. */
async function patch(
  call: CallCluster,
  workload: Workload,
  { resourceVersion, to }: { readonly resourceVersion: string; readonly to: number },
  signal: AbortSignal,
): Promise<boolean> {
  const operations: readonly PatchOperation[] = [
    { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
    { op: "add", path: "/spec/replicas", value: to },
  ];
  try {
    await call(signal, async (cluster, options) =>
      write(cluster, workload, operations, await asJsonPatch(options)),
    );
    return true;
  } catch (error) {
    // 422 when the test fails, 409 when the version changes between the test and the write.
    if (error instanceof ApiRefusal && (error.status === 422 || error.status === 409)) return false;
    throw ofWorkload(error, workload, "scaled");
  }
}

async function read({ apps, custom, namespace }: Cluster, { kind, name }: Workload, options: CallOptions) {
  switch (kind) {
    case "deployment":
      return apps.readNamespacedDeploymentScale({ name, namespace }, options);
    case "statefulset":
      return apps.readNamespacedStatefulSetScale({ name, namespace }, options);
    case "deploymentconfig":
      return custom.getNamespacedCustomObjectScale({ ...DEPLOYMENT_CONFIGS, name, namespace }, options);
  }
}

async function write(
  { apps, custom, namespace }: Cluster,
  { kind, name }: Workload,
  body: readonly PatchOperation[],
  options: CallOptions,
): Promise<void> {
  switch (kind) {
    case "deployment":
      await apps.patchNamespacedDeploymentScale({ name, namespace, body }, options);
      return;
    case "statefulset":
      await apps.patchNamespacedStatefulSetScale({ name, namespace, body }, options);
      return;
    case "deploymentconfig": {
      const request = { ...DEPLOYMENT_CONFIGS, name, namespace, body };
      await custom.patchNamespacedCustomObjectScale(request, options);
    }
  }
}

const DEPLOYMENT_CONFIGS = {
  group: "apps.openshift.io",
  version: "v1",
  plural: "deploymentconfigs",
} as const;

/** OpenShift still answers with the Scale of extensions/v1beta1, whose selector is a map beside a `targetSelector`. */
type AnyScale = {
  readonly metadata?: V1Scale["metadata"];
  readonly spec?: V1Scale["spec"];
  readonly status?: {
    readonly replicas?: number;
    readonly selector?: string | Readonly<Record<string, string>>;
    readonly targetSelector?: string;
  };
};

function parseScale(answer: unknown, workload: Workload): Scale {
  const { metadata, spec, status } = answer as AnyScale;
  const selector = formatSelector(status);
  // An empty selector would select every pod of the namespace.
  if (selector === "") {
    throw new DormouseError("workload_not_found", `the scale of ${workloadText(workload)} names no pods`, {
      hint: "its controller has not seen it yet, or it is no workload that can be scaled",
    });
  }
  return {
    resourceVersion: metadata?.resourceVersion ?? "",
    replicas: spec?.replicas ?? 0,
    currentReplicas: status?.replicas ?? 0,
    selector,
  };
}

function formatSelector({
  selector = "",
  targetSelector = "",
}: NonNullable<AnyScale["status"]> = {}): string {
  if (targetSelector !== "") return targetSelector;
  if (typeof selector === "string") return selector;
  return Object.entries(selector)
    .map(([label, value]) => `${label}=${value}`)
    .join(",");
}

/** What a refusal of the API means for a workload. */
export function ofWorkload(error: unknown, workload: Workload, done: string): unknown {
  if (!(error instanceof ApiRefusal)) return error;
  const name = workloadText(workload);
  if (error.status === 404) {
    return new DormouseError("workload_not_found", `${name} does not exist: ${error.message}`, {
      hint: "check APP_WORKLOADS: it names workloads of this function's own namespace",
      cause: error,
    });
  }
  return new DormouseError("workload_forbidden", `${name} cannot be ${done}: ${error.message}`, {
    hint: `let the function's service account get and patch ${workload.kind}s/scale of this name, and list pods`,
    cause: error,
  });
}
