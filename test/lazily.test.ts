import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lazily } from "../shared/waiting.ts";

describe("a value that is made when it is asked for", () => {
  it("is made once for all that ask, and again after a failure", async () => {
    let made = 0;
    const answers = [Promise.reject(new Error("no module yet")), Promise.resolve("client")];
    answers[0]?.catch(() => undefined);
    const value = lazily(() => answers[made++] ?? Promise.reject(new Error("made too often")));

    const failed = await Promise.allSettled([value(), value()]);
    const good = await Promise.all([value(), value()]);

    assert.deepEqual(
      failed.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.deepEqual([good, made], [["client", "client"], 2]);
  });
});
