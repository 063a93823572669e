import * as z from "zod/mini";
import { variable } from "./config.ts";

const text = z.string().check(z.minLength(1));
const path = z.string().check(z.startsWith("/"));
const AUTH = ["kubernetes", "token", "none"] as const;

/** Who may: each function reads what others may not, or changes what others need. */
export const authVariables = {
  AUTH: variable(z.enum(AUTH), {
    description:
      "How callers are known. `kubernetes`: a token of the cluster, and a Role for the verb. `token`: a token of AUTH_TOKEN_FILE. `none`: whoever reaches the function may do everything.",
    allowed: `one of ${AUTH.join(", ")}`,
  }),
  AUTH_AUDIENCE: variable(z.prefault(text, "dormouse"), {
    description: "With `AUTH=kubernetes`: whom a token must be meant for.",
    allowed: "the audience of tokens, as `kubectl create token --audience` takes it",
  }),
  AUTH_TOKEN_FILE: variable(z.optional(path), {
    description:
      "With `AUTH=token`: a file with a line `name:token` for each caller. It is read for each request.",
    allowed: "an absolute path",
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
