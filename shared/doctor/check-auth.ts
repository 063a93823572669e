import { DormouseError } from "../errors.ts";
import type { AuthSettings } from "../http/authorize-by.ts";

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
    throw needs("AUTH_EVENTS=kubernetes", "AUTH_EVENT_SUBJECTS");
  if (lacking !== undefined) throw needs(`AUTH=${AUTH}`, lacking);
}

function needs(what: string, lacking: string): DormouseError {
  return new DormouseError("configuration_invalid", `${what} needs ${lacking}`, {
    hint: "docs/configuration.md describes each variable",
  });
}
