import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { notifyVariables } from "../../../shared/config/notify-config.ts";
import { describeEvent, RULES } from "../../../shared/events/notify/message-rules.ts";
import type { OutcomeEvent } from "../../../shared/run/run.ts";
import { failed, problem } from "../../support/chat-stage.ts";

describe("what becomes a message", () => {
  it("report no rehearsal that gave way to a restore", () => {
    const rehearsal = (code: string) => ({
      ...failed,
      type: "dev.dormouse.rehearsal.failed" as const,
      data: { ...failed.data, problem: { ...problem, code } },
    });

    assert.equal(describeEvent(rehearsal("rehearsal_gave_way")), undefined);
    assert.notEqual(describeEvent(rehearsal("rows_differ")), undefined);
  });

  it("report a success only if NOTIFY_ON names it", async () => {
    for (const [type, { when }] of Object.entries(RULES)) {
      const told = (asked: readonly string[]) =>
        describeEvent(
          { type: type as OutcomeEvent["type"], subject: "a", data: { blockers: [], vanished: ["a"] } },
          asked,
        );
      assert.equal(told([]) === undefined, when === "asked", type);
      assert.notEqual(told([type]), undefined, type);
      assert.equal(notifyVariables.NOTIFY_ON.safeParse(type).success, when === "asked", type);
    }
  });

  it("is described in docs/notifications.md as the code has it", async () => {
    const page = await readFile(new URL("../../../docs/notifications.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `(dev\.dormouse\.[\w.]+)` *\| `(\w+)` *\|$/gm)];
    assert.deepEqual(
      rows.map(([, type, when]) => [type, when]),
      Object.entries(RULES).map(([type, { when }]) => [type, when]),
    );
  });

  it("has nothing to say of what went well by itself", () => {
    for (const type of ["dev.dormouse.backup.completed", "dev.dormouse.cull.completed"] as const)
      assert.equal(describeEvent({ type, subject: "a", data: {} }), undefined);
  });
});
