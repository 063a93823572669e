import type { Authorize } from "./authorize.ts";
import type { Check } from "../doctor/finding.ts";
import { rightsCheck } from "../../functions/restore/workloads/check-rights.ts";
import { DormouseError } from "../errors.ts";
import { type CallCluster, clusterCaller } from "../kubernetes/client.ts";
import { reviewAuth } from "./review-auth.ts";
import { namespaceOf } from "../kubernetes/namespace.ts";
import { noAuth, tokenAuth } from "./token-auth.ts";

export type AuthSettings = {
  readonly AUTH: "kubernetes" | "token" | "none";
  readonly AUTH_AUDIENCE: string;
  readonly AUTH_TOKEN_FILE?: string | undefined;
  readonly K_SERVICE?: string | undefined;
  readonly K_EVENT_PATH?: string | undefined;
  readonly KUBECONFIG?: string | undefined;
  readonly AUTH_EVENTS?: "kubernetes" | "none";
  readonly AUTH_EVENT_SUBJECTS?: readonly string[] | undefined;
  readonly POD_NAMESPACE?: string | undefined;
};

/** What AUTH names, wired; `checkAuth` has seen that nothing is lacking. */
export async function authorizeOf(settings: AuthSettings, call = callerOf(settings)): Promise<Authorize> {
  // A Job answers no requests, and has no file of callers.
  if (settings.K_EVENT_PATH !== undefined) return noAuth;
  const { AUTH, AUTH_AUDIENCE: audience, AUTH_TOKEN_FILE = "", K_SERVICE: service = "" } = settings;
  switch (AUTH) {
    case "kubernetes":
      return reviewAuth(call, { audience, service, monotonicMs: () => performance.now() });
    case "token":
      return tokenAuth(AUTH_TOKEN_FILE);
    case "none":
      return noAuth;
  }
}

/** Of callers or of senders of events. */
export function asksTheCluster({ AUTH, AUTH_EVENTS }: AuthSettings): boolean {
  return AUTH === "kubernetes" || AUTH_EVENTS === "kubernetes";
}

/** Whether this function may ask the cluster who calls, where it does, and whether it asks at all. */
export function callerChecks(settings: AuthSettings): readonly Check[] {
  return [
    ...(asksTheCluster(settings) ? [rightsCheck(callerOf(settings), { asksWhoCalls: true })] : []),
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

/** Who may send events, where that is asked. */
export function eventAuthOf(settings: AuthSettings, call = callerOf(settings)): Authorize | undefined {
  const {
    AUTH_EVENTS,
    AUTH_AUDIENCE: audience,
    AUTH_EVENT_SUBJECTS = [],
    K_SERVICE: service = "",
  } = settings;
  if (AUTH_EVENTS !== "kubernetes") return undefined;
  const review = reviewAuth(call, { audience, service, monotonicMs: () => performance.now() });
  const namespace = namespaceOf(settings.POD_NAMESPACE);
  const subjects = AUTH_EVENT_SUBJECTS.map((subject) =>
    subject.includes(":") ? subject : `system:serviceaccount:${namespace}:${subject}`,
  );
  return async ({ token }, signal) => {
    const sender = await review({ token }, signal);
    if (subjects.some((subject) => isSubject(subject, sender.name))) return sender;
    throw new DormouseError("forbidden", `${sender.name} may send no events`, {
      hint: "name the sender in AUTH_EVENT_SUBJECTS: status.auth.serviceAccountName of a source tells it",
    });
  };
}

function isSubject(subject: string, name: string): boolean {
  return subject.endsWith("*") ? name.startsWith(subject.slice(0, -1)) : name === subject;
}

function callerOf({ KUBECONFIG }: AuthSettings): CallCluster {
  return clusterCaller({ kubeconfig: KUBECONFIG });
}
