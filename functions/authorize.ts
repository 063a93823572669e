import type { Authorize } from "../shared/backup/authorize.ts";
import { DormouseError } from "../shared/errors.ts";
import type { CallCluster } from "../shared/kubernetes/client.ts";
import { reviewAuth } from "../shared/kubernetes/review-auth.ts";
import { noAuth, tokenAuth } from "../shared/runtime/token-auth.ts";

export type AuthSettings = {
  readonly AUTH: "kubernetes" | "token" | "none";
  readonly AUTH_AUDIENCE: string;
  readonly AUTH_TOKEN_FILE?: string | undefined;
  readonly K_SERVICE?: string | undefined;
};

/** What AUTH names, wired. */
export async function authorizeOf(settings: AuthSettings, call: CallCluster): Promise<Authorize> {
  const { AUTH, AUTH_AUDIENCE: audience, AUTH_TOKEN_FILE, K_SERVICE } = settings;
  switch (AUTH) {
    case "kubernetes":
      if (K_SERVICE === undefined) throw lacks("kubernetes", "K_SERVICE, which Knative sets");
      return reviewAuth(call, { audience, service: K_SERVICE, monotonicMs: () => performance.now() });
    case "token":
      if (AUTH_TOKEN_FILE === undefined) throw lacks("token", "AUTH_TOKEN_FILE");
      return tokenAuth(AUTH_TOKEN_FILE);
    case "none":
      return noAuth;
  }
}

function lacks(auth: string, variable: string): DormouseError {
  return new DormouseError("configuration_invalid", `AUTH=${auth} needs ${variable}`, {
    hint: "docs/configuration.md describes each variable",
  });
}
