import { asksTheCluster, type AuthSettings } from "../config/auth-config.ts";
import { clusterCaller } from "../kubernetes/client.ts";
import { rightsCheck, type Right } from "./check-rights.ts";
import type { Check } from "./finding.ts";

/** What a function needs to review tokens. */
export const REVIEWS: readonly Right[] = [
  { verb: "create", group: "authentication.k8s.io", resource: "tokenreviews", isOfCluster: true },
  { verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews", isOfCluster: true },
];

/** Whether this function authenticates its callers, and may review their tokens where it must. */
export function callerChecks(settings: AuthSettings): readonly Check[] {
  return [
    ...(asksTheCluster(settings)
      ? [rightsCheck(clusterCaller({ kubeconfig: settings.KUBECONFIG }), REVIEWS)]
      : []),
    ...openChecks(settings),
  ];
}

/** A function that authenticates no caller says so. */
export function openChecks({ AUTH }: AuthSettings): readonly Check[] {
  return AUTH === "none" ? [ASKS_NOBODY] : [];
}

/** Outside of a cluster too: a function listens on every address of its machine. */
const ASKS_NOBODY: Check = {
  name: "callers",
  look: async () => [
    {
      state: "warning",
      detail: "AUTH=none: every caller that reaches this function may do all that it does",
      fix: "set AUTH=kubernetes, or AUTH=token with AUTH_TOKEN_FILE",
    },
  ],
};
