import { asksTheCluster, type AuthSettings } from "../config/auth-config.ts";
import { clusterCaller } from "../kubernetes/client.ts";
import { rightsCheck, type Right } from "./check-rights.ts";
import type { Check } from "./finding.ts";

/** What asking the cluster who calls takes. */
export const REVIEWS: readonly Right[] = [
  { verb: "create", group: "authentication.k8s.io", resource: "tokenreviews", isOfCluster: true },
  { verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews", isOfCluster: true },
];

/** Whether this function may ask the cluster who calls, where it does, and whether it asks at all. */
export function callerChecks(settings: AuthSettings): readonly Check[] {
  return [
    ...(asksTheCluster(settings)
      ? [rightsCheck(clusterCaller({ kubeconfig: settings.KUBECONFIG }), REVIEWS)]
      : []),
    ...openChecks(settings),
  ];
}

/** A function that asks nobody says so. */
export function openChecks({ AUTH }: AuthSettings): readonly Check[] {
  return AUTH === "none" ? [ASKS_NOBODY] : [];
}

/** Outside of a cluster too: a function listens on every address of its machine. */
const ASKS_NOBODY: Check = {
  name: "callers",
  look: async () => [
    {
      state: "warning",
      detail: "AUTH=none: whoever reaches this function may do all that it does",
      fix: "set AUTH=kubernetes, or AUTH=token with AUTH_TOKEN_FILE",
    },
  ],
};
