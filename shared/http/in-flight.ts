import type { RequestHandler } from "express";
import { DormouseError } from "../errors.ts";

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

/** Runs `atOnce` pieces of work at once, and the others in the order in which they came. */
export function inTurn(atOnce: number) {
  const waiting: (() => void)[] = [];
  let free = atOnce;
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
