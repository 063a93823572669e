import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { beat } from "../../../shared/events/notify/heartbeat.ts";
import { webhooks } from "../../support/webhooks.ts";

const problem = {
  code: "dump_failed",
  message: "pg_dump ended with 1: it says <no> & nothing",
  hint: "look at its log",
};

describe("a monitor that notices silence", async () => {
  const { received, url, take, ...receiver } = await webhooks();
  after(() => receiver[Symbol.dispose]());

  for (const [given, state, method, path] of [
    ["/check", "start", "POST", "/check/start"],
    ["/check", "success", "POST", "/check"],
    ["/check/", "fail", "POST", "/check/fail"],
    ["/api/push/key?ping=", "success", "GET", "/api/push/key?ping=&status=up&msg=OK"],
    [
      "/api/push/key",
      "fail",
      "GET",
      "/api/push/key?status=down&msg=pg_dump+ended+with+1%3A+it+says+%3Cno%3E+%26+nothing+%28dump_failed%29",
    ],
  ] as const)
    it(`gets a ${state} at ${given} as ${method} ${path}`, async () => {
      take();
      const what = state === "fail" ? ({ state, problem } as const) : { state };
      await beat(`${url}${given}`, what as Parameters<typeof beat>[1], {}, AbortSignal.timeout(60_000));

      assert.deepEqual(
        received.map((each) => `${each.method} ${each.path}`),
        [`${method} ${path}`],
      );
      if (method === "POST" && state === "fail")
        assert.match(received[0]?.body ?? "", /dump_failed\)\nlook at its log$/);
    });

  it("gets nothing at the start if it is of Uptime Kuma", async () => {
    take();
    await beat(`${url}/api/push/key`, { state: "start" }, {}, AbortSignal.timeout(60_000));
    assert.equal(received.length, 0);
  });
});
