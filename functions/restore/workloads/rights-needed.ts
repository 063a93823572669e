import type { Right } from "../../../shared/doctor/check-rights.ts";
import type { Workload, WorkloadKind } from "./workload.ts";

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
