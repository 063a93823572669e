import type { Authorize } from "./authorize.ts";
import type { AuthSettings } from "../config/auth-config.ts";
import { DormouseError } from "../errors.ts";
import { type CallCluster, clusterCaller } from "../kubernetes/client.ts";
import { reviewAuth } from "./review-auth.ts";
import { findNamespace } from "../kubernetes/namespace.ts";
import { noAuth, tokenAuth } from "./token-auth.ts";

/** What AUTH names, wired; `checkAuth` has seen that nothing is lacking. */
export async function createAuthorizer(
  settings: AuthSettings,
  call = connectCluster(settings),
): Promise<Authorize> {
  // A Job answers no requests, and has no file of callers.
  if (settings.K_EVENT_PATH !== undefined) return noAuth;
  const { AUTH, AUTH_AUDIENCE: audience, AUTH_TOKEN_FILE = "", K_SERVICE: service = "" } = settings;
  switch (AUTH) {
    case "kubernetes":
      return reviewAuth(call, { audience, service });
    case "token":
      return tokenAuth(AUTH_TOKEN_FILE);
    case "none":
      return noAuth;
  }
}

/** The senders from which events are taken, if senders are authenticated. */
export function createEventAuthorizer(
  settings: AuthSettings,
  call = connectCluster(settings),
): Authorize | undefined {
  const {
    AUTH_EVENTS,
    AUTH_AUDIENCE: audience,
    AUTH_EVENT_SUBJECTS = [],
    K_SERVICE: service = "",
  } = settings;
  if (AUTH_EVENTS !== "kubernetes") return undefined;
  const review = reviewAuth(call, { audience, service });
  const namespace = findNamespace(settings.POD_NAMESPACE);
  const subjects = AUTH_EVENT_SUBJECTS.map((subject) =>
    subject.includes(":") ? subject : `system:serviceaccount:${namespace}:${subject}`,
  );
  return async ({ token }, signal) => {
    const sender = await review({ token }, signal);
    if (subjects.some((subject) => isSubject(subject, sender.name))) return sender;
    throw new DormouseError("forbidden", `${sender.name} may send no events`, {
      hint: "name the sender in AUTH_EVENT_SUBJECTS: status.auth.serviceAccountName of a source has it",
    });
  };
}

function isSubject(subject: string, name: string): boolean {
  return subject.endsWith("*") ? name.startsWith(subject.slice(0, -1)) : name === subject;
}

function connectCluster({ KUBECONFIG }: AuthSettings): CallCluster {
  return clusterCaller({ kubeconfig: KUBECONFIG });
}
