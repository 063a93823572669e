import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Why a request is not answered. */
type Refusal = { readonly status: 401 | 403; readonly detail: string };

const SESSION_HEADER = "x-dormouse-session";

/**
 * Who may use the console: a page that has exchanged a key for a session. Keys are printed in the terminal, and each is
 * good once; a session is in the memory of one tab. No cookie: browsers send those to every port of this machine.
 */
export type Guard = {
  /** The key that was not used yet. */
  readonly key: () => string;
  /** A session for the key, which is used up by it. */
  readonly exchange: (key: unknown) => string | undefined;
  /** Against other names for this machine (DNS rebinding) and pages of other origins. */
  readonly refuseForeign: (request: IncomingMessage) => Refusal | undefined;
  readonly refuseStranger: (request: IncomingMessage) => Refusal | undefined;
};

export function guardOf(host: () => string): Guard {
  let key = secret();
  const sessions: string[] = [];
  return {
    key: () => key,
    exchange(given) {
      if (typeof given !== "string" || !isSame(given, key)) return undefined;
      key = secret();
      const session = secret();
      sessions.push(session);
      return session;
    },
    refuseForeign({ headers, method }) {
      if (headers.host !== host()) return forbidden("the console has another name");
      const { origin } = headers;
      // A browser names the origin of everything that is not a mere GET.
      const isOwn = origin === undefined ? method === "GET" : origin === `http://${host()}`;
      if (!isOwn) return forbidden("the console answers its own page only");
      const site = headers["sec-fetch-site"] ?? "none";
      return site === "same-origin" || site === "none" ? undefined : forbidden("another site asks");
    },
    refuseStranger({ headers }) {
      const given = headers[SESSION_HEADER];
      if (typeof given === "string" && sessions.some((session) => isSame(given, session))) return undefined;
      return { status: 401, detail: "this page has no session of the console" };
    },
  };
}

function forbidden(detail: string): Refusal {
  return { status: 403, detail };
}

function secret(): string {
  return randomBytes(32).toString("base64url");
}

/** In a time that says nothing of where they differ. */
function isSame(given: string, wanted: string): boolean {
  const [a, b] = [given, wanted].map((text) => createHash("sha256").update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
