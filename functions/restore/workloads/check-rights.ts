import { good, type Check } from "../../../shared/doctor/finding.ts";
import type { Workload, WorkloadKind } from "./workload.ts";
import type { CallCluster } from "../../../shared/kubernetes/client.ts";

type Right = {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  /** Rights on what belongs to no namespace. */
  readonly isOfCluster?: boolean;
};

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
const REVIEWS: readonly Right[] = [
  { verb: "create", group: "authentication.k8s.io", resource: "tokenreviews", isOfCluster: true },
  { verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews", isOfCluster: true },
];

export type RightsWanted = {
  /** What is stopped and started again, if anything is. */
  readonly workloads?: readonly Workload[];
  /** The Knative Service that a source of this name wakes. */
  readonly service?: string | undefined;
  readonly asksWhoCalls: boolean;
};

/** Asks the cluster whether this function's account may do what the function does (SelfSubjectAccessReview). */
export function rightsCheck(
  call: CallCluster,
  { workloads = [], service, asksWhoCalls }: RightsWanted,
): Check {
  const wanted = [...restoring(workloads, service), ...(asksWhoCalls ? REVIEWS : [])];
  return {
    name: "rights",
    async look(signal) {
      const answers = await Promise.all(wanted.map((right) => isAllowed(call, right, signal)));
      const lacking = wanted.filter((_, index) => answers[index] !== true);
      if (lacking.length === 0) return [good(`the account has all ${wanted.length} rights that it needs`)];
      return lacking.map((right) => ({
        state: "fault",
        detail: `the account may not ${textOf(right)}`,
        fix: "complete the Role or ClusterRoleBinding in manifests/base (restore-rights.yaml, callers.yaml)",
      }));
    },
  };
}

function restoring(workloads: readonly Workload[], service: string | undefined): readonly Right[] {
  if (workloads.length === 0) return [];
  const scaling = workloads.flatMap(({ kind, name }) => {
    const [group, resource] = PLACES[kind];
    return ["get", "patch"].map((verb) => ({ verb, group, resource, subresource: "scale", name }));
  });
  const source = { verb: "delete", group: "sources.knative.dev", resource: "pingsources" };
  return [...scaling, ...ALWAYS, ...(service === undefined ? [] : [{ ...source, name: service }])];
}

async function isAllowed(call: CallCluster, right: Right, signal: AbortSignal): Promise<boolean> {
  const { isOfCluster = false, ...attributes } = right;
  const { status } = await call(signal, ({ authorization, namespace }, options) => {
    const resourceAttributes = { ...attributes, ...(isOfCluster ? {} : { namespace }) };
    return authorization.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } }, options);
  });
  return status?.allowed === true;
}

function textOf({ verb, resource, subresource, name }: Right): string {
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  return name === undefined ? `${verb} ${whole}` : `${verb} ${whole} of ${name}`;
}
