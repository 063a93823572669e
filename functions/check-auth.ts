import { DormouseError } from "../shared/errors.ts";

type AuthSettings = {
  readonly AUTH: "kubernetes" | "token" | "none";
  readonly AUTH_TOKEN_FILE?: string | undefined;
  readonly K_SERVICE?: string | undefined;
};

/** What an AUTH needs besides, looked at before a function listens. Throws `configuration_invalid`. */
export function checkAuth({ AUTH, AUTH_TOKEN_FILE, K_SERVICE }: AuthSettings): void {
  const lacking =
    AUTH === "token" && AUTH_TOKEN_FILE === undefined
      ? "AUTH_TOKEN_FILE"
      : AUTH === "kubernetes" && K_SERVICE === undefined
        ? "K_SERVICE, which Knative sets"
        : undefined;
  if (lacking === undefined) return;
  throw new DormouseError("configuration_invalid", `AUTH=${AUTH} needs ${lacking}`, {
    hint: "docs/configuration.md describes each variable",
  });
}
