import { access } from "node:fs/promises";
import { good, type Check } from "./finding.ts";
import type { AuthSettings } from "../config/auth-config.ts";

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
    async look() {
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
