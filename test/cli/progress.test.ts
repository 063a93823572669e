import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, describe, it } from "node:test";
import { dormouse, inTerminal } from "../support/program.ts";
import { standIn, type StandIn } from "../support/stand-in.ts";

const GIB = 2 ** 30;
const RUN = `restore-${"0".repeat(24)}`;
const AT = "2026-11-28T01:00:00.000Z";
const LOADING = {
  loading: "hets",
  bytes: GIB,
  expectedBytes: 4 * GIB,
  bytesPerSecond: 30 * 2 ** 20,
  remainingSeconds: 95,
};
const BAR = "loading hets [######                  ] 1.0 GiB of about 4.0 GiB, 30.0 MiB/s, 1 min 35 s left";

const LINES = [
  { type: "run", run: RUN },
  { type: "step", step: "progress", at: AT, detail: LOADING },
];
const BROKEN = { type: "problem", code: "restore_failed", detail: "it broke" };

/** A rehearsal that is in the middle of its load, and fails when the test wants it. */
describe("a long step, as it goes,", () => {
  let restore: StandIn;
  let running: ServerResponse | undefined;
  let isHeld: boolean;
  const fail = (answer: ServerResponse | undefined) => answer?.end(`${JSON.stringify(BROKEN)}\n`);
  before(async () => {
    restore = await standIn((_, answer) => {
      running = answer.writeHead(200, { "content-type": "application/x-ndjson" });
      for (const line of LINES) answer.write(`${JSON.stringify(line)}\n`);
      if (!isHeld) fail(answer);
    });
  });
  after(() => restore[Symbol.asyncDispose]());

  it("is one bar with bytes, rate and the time left, which goes when the run has ended", async () => {
    isHeld = true;
    await using terminal = inTerminal(["rehearse", "--url", `restore=${restore.url}`]);
    await terminal.shows(BAR);
    fail(running);

    assert.equal(await terminal.ended, 1);
    assert.ok(terminal.screen().includes("left\r\u001B[K"), terminal.screen());
    assert.match(terminal.screen(), /restore_failed: it broke/);
  });

  it("is a line in a log of a script, and nothing with --quiet", async () => {
    isHeld = false;
    const asking = (...more: string[]) => dormouse(["rehearse", "--url", `restore=${restore.url}`, ...more]);
    const [told, quiet] = await Promise.all([asking(), asking("--quiet")]);

    assert.ok(told.stderr.includes(BAR), told.stderr);
    assert.doesNotMatch(quiet.stderr, /GiB/);
    assert.match(quiet.stderr, /restore_failed: it broke/);
  });
});
