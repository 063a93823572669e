import * as z from "zod/mini";
import { invalidConfiguration, variable } from "./config.ts";
import { path, text } from "./rules.ts";

const subjects = z.pipe(
  z.string(),
  z.pipe(
    z.transform((list: string) => list.split(",").map((each) => each.trim())),
    z.array(z.string().check(z.regex(/^[^\s*]+\*?$/))).check(z.minLength(1)),
  ),
);
const AUTH = ["kubernetes", "token", "none"] as const;

/** Authentication and authorisation: each function reads what others may not, or changes what others need. */
export const authVariables = {
  AUTH: variable(z.enum(AUTH), {
    description:
      "How callers are known. `kubernetes`: a token of the cluster, and a Role for the verb. `token`: a token of AUTH_TOKEN_FILE. `none`: every caller that reaches the function may do everything.",
    allowed: `one of ${AUTH.join(", ")}`,
  }),
  AUTH_AUDIENCE: variable(z.prefault(text, "dormouse"), {
    description:
      "With `AUTH=kubernetes`: the audience that a token must have. Set another where tokens of one installation must not open the next.",
    allowed: "the audience of tokens, as `kubectl create token --audience` takes it",
  }),
  AUTH_TOKEN_FILE: variable(z.optional(path), {
    description:
      "With `AUTH=token`: a file with a line `name:token` for each caller. It is read for each request.",
    allowed: "an absolute path",
  }),
  AUTH_EVENTS: variable(z.prefault(z.enum(["kubernetes", "none"]), "none"), {
    description:
      "How senders of events are known. `kubernetes`: an event bears a token of the cluster for AUTH_AUDIENCE, as Knative Eventing sends with `authentication-oidc`. `none`: every caller that reaches the function may send one.",
    allowed: "kubernetes or none",
  }),
  AUTH_EVENT_SUBJECTS: variable(z.optional(subjects), {
    description:
      "With `AUTH_EVENTS=kubernetes`: whose events are taken. A name alone is a ServiceAccount of this namespace.",
    allowed:
      "a comma-separated list of ServiceAccounts, like `NAME` or `system:serviceaccount:NAMESPACE:NAME`, each perhaps with a `*` at its end",
  }),
};

/** For a function that speaks to the Kubernetes API. */
export const clusterVariables = {
  KUBECONFIG: variable(z.optional(path), {
    description: "The cluster and the account to use, for a function outside of a cluster.",
    allowed: "an absolute path",
    isFile: true,
  }),
};

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

/** Of callers or of senders of events. */
export function asksTheCluster({ AUTH, AUTH_EVENTS }: AuthSettings): boolean {
  return AUTH === "kubernetes" || AUTH_EVENTS === "kubernetes";
}

/** What an AUTH needs besides, looked at before a function listens. Throws `configuration_invalid`. */
export function checkAuth({ AUTH, AUTH_TOKEN_FILE, K_SERVICE, K_EVENT_PATH, ...events }: AuthSettings): void {
  // A Job has the settings of the service, and answers no requests.
  if (K_EVENT_PATH !== undefined) return;
  const lacking =
    AUTH === "token" && AUTH_TOKEN_FILE === undefined
      ? "AUTH_TOKEN_FILE"
      : AUTH === "kubernetes" && K_SERVICE === undefined
        ? "K_SERVICE, which Knative sets"
        : undefined;
  const { AUTH_EVENTS, AUTH_EVENT_SUBJECTS } = events;
  if (AUTH_EVENTS === "kubernetes" && AUTH_EVENT_SUBJECTS === undefined)
    throw invalidConfiguration("AUTH_EVENTS=kubernetes needs AUTH_EVENT_SUBJECTS");
  if (lacking !== undefined) throw invalidConfiguration(`AUTH=${AUTH} needs ${lacking}`);
}
