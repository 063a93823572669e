import { once } from "node:events";
import type { Request, Response } from "express";
import { DormouseError } from "../errors.ts";
import { within } from "../waiting.ts";
import { inTurn } from "./guard.ts";

/** At once: a catalog of thousands of backups is tens of megabytes of JSON. */
const MAX_SHOWN = 2;
const SHOW_MS = 60_000;

/** Answers with what `look` finds, one caller after the other until the answer has left: a slow reader keeps it in memory. */
export function shown(look: (signal: AbortSignal) => Promise<unknown>) {
  const turn = inTurn(MAX_SHOWN);
  return (_: Request, response: Response): Promise<void> =>
    turn(async () => {
      if (response.closed) return;
      response.json(await within(SHOW_MS, new AbortController().signal, look, lateLook));
      await once(response, "close", { signal: AbortSignal.timeout(SHOW_MS) }).catch(() => response.destroy());
    });
}

function lateLook(seconds: number, cause: unknown): DormouseError {
  return new DormouseError("overloaded", `what was asked for was not found out within ${seconds} s`, {
    hint: "ask again in some seconds; if it goes on, volume, bucket or server are slow: look at the log of this function",
    cause,
  });
}
