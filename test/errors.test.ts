import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { asDormouseError, DormouseError } from "../shared/errors.ts";

describe("asDormouseError", () => {
  it("gives the reason why something that waited was aborted", async () => {
    const why = new DormouseError("connection_lost", "the lock was lost");
    const ended = new AbortController();

    const waiting = pause(60_000, undefined, { signal: ended.signal }).catch(asDormouseError);
    ended.abort(why);

    assert.equal(await waiting, why);
  });

  it("makes an internal fault of what it does not know, with its cause", () => {
    const cause = new TypeError("x is not a function");

    const error = asDormouseError(cause);

    assert.equal(error.code, "internal");
    assert.equal(error.cause, cause);
  });
});
