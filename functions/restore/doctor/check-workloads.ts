import { good, type Check, type Finding } from "../../../shared/doctor/finding.ts";
import { workloadText, type Workload, type Workloads, type WorkloadKind } from "../workloads/workload.ts";
import type { Right } from "../../../shared/doctor/check-rights.ts";

/** Whether what is to be stopped and started is there, and what would interfere. */
export function workloadsCheck(cluster: Workloads, workloads: readonly Workload[]): Check {
  return {
    name: "workloads",
    async run(signal) {
      if (workloads.length === 0) {
        const fix = "name them in APP_WORKLOADS, in the order of starting";
        return [{ state: "warning", detail: "a restore stops nothing: no workload is named", fix }];
      }
      const found = await Promise.all(workloads.map((workload) => checkWorkload(cluster, workload, signal)));
      return found.flat();
    },
  };
}

async function checkWorkload(
  cluster: Workloads,
  workload: Workload,
  signal: AbortSignal,
): Promise<readonly Omit<Finding, "check">[]> {
  const { replicas, autoscalers = [] } = await cluster.read(workload, signal);
  const name = workloadText(workload);
  return [
    good(`${name} is there, with ${replicas} replicas`),
    ...autoscalers.map((autoscaler) => ({
      state: "warning" as const,
      detail: `${autoscaler} may scale ${name} up during a restore`,
      fix: "it pauses at zero replicas; others, like KEDA, must be paused by hand",
    })),
  ];
}

const PLACES: Readonly<Record<WorkloadKind, readonly [group: string, resource: string]>> = {
  deployment: ["apps", "deployments"],
  statefulset: ["apps", "statefulsets"],
  deploymentconfig: ["apps.openshift.io", "deploymentconfigs"],
};

/** What a restore does where it stops workloads. */
const ALWAYS: readonly Right[] = [
  { verb: "list", group: "", resource: "pods" },
  { verb: "list", group: "", resource: "events" },
  { verb: "list", group: "autoscaling", resource: "horizontalpodautoscalers" },
  { verb: "create", group: "sources.knative.dev", resource: "pingsources" },
];

/** What a restore needs to stop `workloads`, to start them again, and to be woken meanwhile by a source named `service`. */
export function rightsToRestore(
  workloads: readonly Workload[],
  service: string | undefined,
): readonly Right[] {
  if (workloads.length === 0) return [];
  const scaling = workloads.flatMap(({ kind, name }) => {
    const [group, resource] = PLACES[kind];
    return ["get", "patch"].map((verb) => ({ verb, group, resource, subresource: "scale", name }));
  });
  const source = { verb: "delete", group: "sources.knative.dev", resource: "pingsources" };
  return [...scaling, ...ALWAYS, ...(service === undefined ? [] : [{ ...source, name: service }])];
}
