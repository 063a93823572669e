import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Fault, sendOnce, sendTwice } from "../../shared/events/send-twice.ts";
import { never } from "../../shared/waiting.ts";

const BUSY: Fault = { why: "status 503", mayPass: true };
const FORBIDDEN: Fault = { why: "status 401", mayPass: false };

describe("a message, a ping, a trace or metrics", () => {
  for (const [what, answers, tries, why] of [
    ["taken", [undefined], 1, undefined],
    ["taken by the second try", [BUSY, undefined], 2, undefined],
    ["taken after a try without an answer", [new Error("socket hang up"), undefined], 2, undefined],
    ["refused for the moment", [BUSY, BUSY, undefined], 2, "status 503"],
    ["refused for good", [FORBIDDEN, undefined], 1, "status 401"],
    ["without an answer", [new Error("socket hang up"), new Error("ECONNREFUSED")], 2, "ECONNREFUSED"],
  ] as const)
    it(`is sent ${tries === 1 ? "once" : "twice"} where it is ${what}`, async () => {
      const left: (Fault | Error | undefined)[] = [...answers];
      const send = async () => {
        const answer = left.shift();
        if (answer instanceof Error) throw answer;
        return answer;
      };
      assert.equal(await sendTwice(send, never), why);
      assert.equal(answers.length - left.length, tries);
    });

  for (const [attempt, answer] of [
    [1, "refused"],
    [1, "cut off"],
    [2, "cut off"],
  ] as const)
    it(`is not sent again once the run is aborted, and says with what: try ${attempt}, ${answer}`, async () => {
      const stopping = new AbortController();
      let tries = 0;
      const send = async (limit: AbortSignal) => {
        tries++;
        if (tries === attempt) stopping.abort(new Error("the pod is ending"));
        if (answer === "cut off") limit.throwIfAborted();
        return BUSY;
      };
      await assert.rejects(sendTwice(send, stopping.signal), /the pod is ending/);
      assert.equal(tries, attempt);
    });

  it("ends with its time, also where what sends it never does", { timeout: 60_000 }, async () => {
    const stuck = setInterval(() => undefined, 1_000);
    try {
      const fault = await sendOnce(() => new Promise<undefined>(() => {}), 10, never);
      assert.equal(fault?.mayPass, true);
    } finally {
      clearInterval(stuck);
    }
  });
});
