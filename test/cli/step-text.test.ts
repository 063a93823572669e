import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stepText } from "../../cli/text/step-text.ts";

describe("a step that is shown while a person waits", () => {
  it("says of a failed attempt why, for how long others follow, and what to do meanwhile", () => {
    const detail = { error: "no server", hint: "start it", waitMs: 2_000, triesForMs: 600_000, attempt: 2 };

    const said = stepText({ step: "retrying", at: "2026-11-28T01:00:00.000Z", detail });

    assert.equal(said, "no server: tried again in 2.0 s, for at most 10 min 0 s, meanwhile: start it");
    assert.equal(
      stepText({ step: "retrying", at: "2026-11-28T01:00:00.000Z", detail: { error: "x" } }),
      "x: tried again",
    );
  });
});
