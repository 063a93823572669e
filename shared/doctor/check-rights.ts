import type { CallCluster } from "../kubernetes/client.ts";
import { good, type Check } from "./finding.ts";

export type Right = {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  /** Rights on what belongs to no namespace. */
  readonly isOfCluster?: boolean;
};

/** Asks the cluster whether this function's account has these rights (SelfSubjectAccessReview). */
export function rightsCheck(call: CallCluster, wanted: readonly Right[]): Check {
  return {
    name: "rights",
    async run(signal) {
      const answers = await Promise.all(wanted.map((right) => isAllowed(call, right, signal)));
      const lacking = wanted.filter((_, index) => answers[index] !== true);
      if (lacking.length === 0) return [good(`the account has all ${wanted.length} rights that it needs`)];
      return lacking.map((right) => ({
        state: "fault",
        detail: `the account may not ${toText(right)}`,
        fix: "complete the Role or ClusterRoleBinding in manifests/base (restore-rights.yaml, callers.yaml)",
      }));
    },
  };
}

async function isAllowed(call: CallCluster, right: Right, signal: AbortSignal): Promise<boolean> {
  const { isOfCluster = false, ...attributes } = right;
  const { status } = await call(signal, ({ authorization, namespace }, options) => {
    const resourceAttributes = { ...attributes, ...(isOfCluster ? {} : { namespace }) };
    return authorization.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } }, options);
  });
  return status?.allowed === true;
}

function toText({ verb, resource, subresource, name }: Right): string {
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  return name === undefined ? `${verb} ${whole}` : `${verb} ${whole} of ${name}`;
}
