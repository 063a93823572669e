import { asksTheCluster, type AuthSettings } from "../config/auth-config.ts";
import { clusterCaller } from "../kubernetes/client.ts";
import { rightsCheck, type Right } from "./check-rights.ts";
import { type Check, good } from "./finding.ts";
import { access } from "node:fs/promises";

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
  run: async () => [
    {
      state: "warning",
      detail: "AUTH=none: every caller that reaches this function may do all that it does",
      fix: "set AUTH=kubernetes, or AUTH=token with AUTH_TOKEN_FILE",
    },
  ],
};

type Senders = Pick<AuthSettings, "AUTH" | "AUTH_EVENTS" | "AUTH_EVENT_SUBJECTS"> & {
  readonly SINK_TOKEN_FILE: string;
};

/**
 * Whether senders of events authenticate. A function may not read how Knative is set up: that a SinkBinding has
 * mounted a token here is what it can see of `authentication-oidc`.
 */
export function sendersCheck({ AUTH, AUTH_EVENTS, AUTH_EVENT_SUBJECTS = [], ...config }: Senders): Check {
  return {
    name: "senders",
    async run() {
      if (AUTH_EVENTS === "kubernetes")
        return [good(`events need a token of ${AUTH_EVENT_SUBJECTS.join(", ")}`)];
      const { SINK_TOKEN_FILE } = config;
      const hasToken = await access(SINK_TOKEN_FILE).then(
        () => true,
        () => false,
      );
      // Where callers need none either there is nothing to compare.
      if (!hasToken && AUTH !== "kubernetes") return [];
      if (!hasToken)
        return [
          good("events need no token (AUTH_EVENTS); nothing here shows that the cluster gives senders one"),
        ];
      const fix = "add manifests/components/events-oidc, or set AUTH_EVENTS and AUTH_EVENT_SUBJECTS";
      const detail = `events need no token, though the cluster gives senders one: ${SINK_TOKEN_FILE} is mounted`;
      return [{ state: "warning", detail, fix }];
    },
  };
}
