import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { notificationChecks } from "../../shared/doctor/check-notifications.ts";
import type { Run } from "../../shared/run/run.ts";

const ended = (id: string, request: Run["request"], error?: string) =>
  ({
    id,
    state: "succeeded",
    request,
    steps: error === undefined ? [] : [{ step: "notification_failed", at: new Date(), detail: { error } }],
  }) as unknown as Run;

/** What the doctor says of these runs, which were accepted in this order. */
async function say(...runs: readonly Run[]): Promise<readonly (readonly [string, string])[]> {
  const [check] = notificationChecks({ NOTIFY_URL: ["https://chat"] }, { all: async () => runs }, "backup");
  const findings = await check?.run(AbortSignal.timeout(60_000));
  return (findings ?? []).map(({ state, detail }) => [state, detail]);
}

describe("the doctor, about notifications", () => {
  it("looks at the last run alone", async () => {
    const found = await say(ended("backup-1", {}, "chat: status 500"), ended("backup-2", {}));

    assert.deepEqual(found, [["good", "all targets took the messages of run backup-2"]]);
  });

  it("looks at a run of several databases and at each of its parts", async () => {
    const part = (id: string, sweep: string, error?: string) => ended(id, { sweep }, error);
    const found = await say(
      ended("backup-1", {}),
      part("backup-11", "backup-1", "monitor: status 500"),
      ended("backup-2", {}, "chat: status 403"),
      part("backup-21", "backup-2"),
      part("backup-22", "backup-2", "monitor: status 404"),
    );

    assert.deepEqual(found, [
      ["warning", "run backup-2: chat: status 403"],
      ["warning", "run backup-22: monitor: status 404"],
    ]);
  });
});
