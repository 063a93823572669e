import { once } from "node:events";
import type { Request, RequestHandler, Response } from "express";
import type { Authorize, Caller, Verb } from "./authorize.ts";
import { DormouseError } from "../errors.ts";
import { inTurn, never, withTimeout } from "../waiting.ts";

const AUTHORIZE_MS = 15_000;
/** At once: a catalog of thousands of backups is tens of megabytes of JSON. */
const MAX_SHOWN = 2;
const SHOW_MS = 60_000;

/**
 * Lets no request through whose caller is unknown, and none to read whose caller may not `get`. What a POST wants is
 * asked with its body, by `authorizeWork`.
 */
export function guard(authorize: Authorize): RequestHandler {
  return async (request, response, next): Promise<void> => {
    const verb = request.method === "POST" ? undefined : "get";
    response.locals["caller"] = await identify(authorize, request, verb);
    next();
  };
}

/** The caller that the guard let through, with the right to do all of this. */
export async function authorizeWork(
  authorize: Authorize,
  request: Request,
  response: Response,
  verbs: readonly Verb[],
): Promise<Caller> {
  for (const verb of verbs) await identify(authorize, request, verb);
  return response.locals["caller"] as Caller;
}

async function identify(authorize: Authorize, request: Request, verb: Verb | undefined): Promise<Caller> {
  const token = /^Bearer +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1];
  const ask = (signal: AbortSignal) => authorize({ token, verb }, signal);
  return withTimeout(AUTHORIZE_MS, never, ask, (seconds, cause) => {
    const message = `the cluster did not say within ${seconds} s what this caller may do`;
    return new DormouseError("cluster_unreachable", message, {
      hint: "send the request again in some seconds; if it goes on, look at the API server",
      cause,
    });
  });
}

/** Lets `atMost` requests be under way at once; throws `overloaded` for one beyond them. */
export function inFlight(atMost: number): RequestHandler {
  let count = 0;
  return (_, response, next) => {
    if (count >= atMost) {
      throw new DormouseError("overloaded", `${count} requests are under way, and no more are taken`, {
        hint: "ask again in some seconds",
      });
    }
    count += 1;
    response.once("close", () => (count -= 1));
    next();
  };
}

/** Answers with what `look` finds, one caller after the other until the answer has left: a slow reader keeps it in memory. */
export function shown(look: (signal: AbortSignal) => Promise<unknown>) {
  const turn = inTurn(MAX_SHOWN);
  return (_: Request, response: Response): Promise<void> =>
    turn(async () => {
      if (response.closed) return;
      response.json(await withTimeout(SHOW_MS, never, look, tooSlow));
      await once(response, "close", { signal: AbortSignal.timeout(SHOW_MS) }).catch(() => response.destroy());
    });
}

function tooSlow(seconds: number, cause: unknown): DormouseError {
  return new DormouseError("overloaded", `what was asked for was not found out within ${seconds} s`, {
    hint: "ask again in some seconds; if it goes on, volume, bucket or server are slow: look at the log of this function",
    cause,
  });
}
