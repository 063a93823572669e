import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { runTool } from "../../../shared/postgres/process/child-process.ts";
import { DormouseError } from "../../../shared/errors.ts";
import { until } from "../../support/faulty.ts";

const PATH = "/usr/bin:/bin";
const LIMITS = { deadlineMs: 600_000, stallMs: 600_000 };

describe("a child process", () => {
  it("loses nothing of what it printed until it is read, however late that is", async () => {
    const command = { file: "/bin/echo", arguments: ["PGDMP"], environment: {}, secrets: [] };
    const fail = () => new DormouseError("internal", "echo failed");
    const tool = runTool(command, LIMITS, fail, new AbortController().signal);
    // Long after it has printed and ended: the reader may have to open a file first.
    await until(() => !isAlive(tool.pid));
    await pause(50);

    const printed = await Array.fromAsync(tool.output);

    assert.equal(Buffer.concat(printed).toString(), "PGDMP\n");
  });

  it("ends with the whole group of the process, also what ignores SIGTERM, and leaves the first reason", async () => {
    const script = `trap "" TERM; sh -c 'trap "" TERM; echo $$; exec sleep 600' & wait`;
    const command = { file: "/bin/sh", arguments: ["-c", script], environment: { PATH }, secrets: [] };
    const fail = () => new DormouseError("internal", "sh failed");
    const run = new AbortController();
    const tool = runTool(command, LIMITS, fail, run.signal);
    const output = tool.output[Symbol.asyncIterator]();
    const grandchild = Number(Buffer.from((await output.next()).value as Uint8Array).toString());

    run.abort(new DormouseError("interrupted", "the pod goes"));
    await assert.rejects(output.next(), { code: "interrupted", message: "the pod goes" });

    await until(() => !isAlive(tool.pid) && !isAlive(grandchild));
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
