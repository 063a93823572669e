import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { runTool } from "../../shared/postgres/child-process.ts";
import { DormouseError } from "../../shared/errors.ts";

const LIMITS = { deadlineMs: 60_000, stallMs: 60_000 };

describe("what a child process prints", () => {
  it("is kept until somebody reads it, however late that is", async () => {
    const command = { file: "/bin/echo", arguments: ["PGDMP"], environment: {}, secrets: [] };
    const fail = () => new DormouseError("internal", "echo failed");
    const tool = runTool(command, LIMITS, fail, new AbortController().signal);
    // Long after it has printed and ended: whoever reads may have to open a file first.
    while (isAlive(tool.pid)) await pause(5);
    await pause(50);

    const printed = await Array.fromAsync(tool.output);

    assert.equal(Buffer.concat(printed).toString(), "PGDMP\n");
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
