import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { lockKey } from "../../shared/postgres/session/advisory-lock.ts";
import type { Run } from "../../shared/run/run.ts";
import { until } from "../support/faulty.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { dormouse, inTerminal } from "../support/program.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";

const CTRL_C = "\u0003";
const ENTER = "\r";
const DOWN = "\u001B[B";

describe("dormouse, with a person or a bad line", () => {
  let stage: RestoreStage;
  let restore: FunctionProcess;
  let url: string;
  before(async () => {
    stage = await setRestoreStage();
    restore = await stage.start();
    url = `restore=${restore.url}`;
  });
  after(() => stage[Symbol.asyncDispose]());
  beforeEach(() => stage.query(stage.database, "DELETE FROM hire.equipment"));

  /** Lets runs begin and none go on, until it is ended. */
  const holdDatabase = async () => {
    const holder = await stage.server.connect("postgres");
    await holder.query("SELECT pg_advisory_lock($1::bigint)", [lockKey(stage.database)]);
    return holder;
  };
  const runOf = (screen: string) => /restore-[0-9a-f]{24}/.exec(screen)?.[0] ?? "";
  const state = async (id: string) => ((await (await restore.get(`/runs/${id}`)).json()) as Run).state;

  it("shows the plan, asks for the name of the database, and restores", async () => {
    await using terminal = inTerminal(["restore", "--url", url]);

    await terminal.shows("downtime");
    await terminal.shows("Type the name of the database");
    terminal.type(`another${ENTER}`);
    await terminal.shows("that is not");
    terminal.type("\u007F".repeat("another".length));
    terminal.type(`${stage.database}${ENTER}`);
    await terminal.shows("Restored");

    assert.equal(await terminal.ended, 0);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("does nothing when Ctrl-C answers the question", async () => {
    const found = await stage.databases();
    await using terminal = inTerminal(["restore", "--url", url]);

    await terminal.shows("Type the name of the database");
    terminal.type(CTRL_C);

    assert.equal(await terminal.ended, 1);
    assert.match(terminal.screen(), /nothing was done/);
    assert.deepEqual(await stage.databases(), found);
  });

  for (const [choice, keys, code] of [
    ["waits on", ENTER, 0],
    ["leaves it running", `${DOWN}${ENTER}`, 1],
  ] as const)
    it(`asks at Ctrl-C, and ${choice}`, async () => {
      const holder = await holdDatabase();
      await using terminal = inTerminal(["restore", "--url", url, "--yes", stage.database]);

      await terminal.shows("waits for");
      terminal.type(CTRL_C);
      await terminal.shows("leave it running");
      terminal.type(keys);
      if (code === 1) await terminal.shows("--follow");
      await holder.end();

      assert.equal(await terminal.ended, code, terminal.screen());
      const id = runOf(terminal.screen());
      await until(async () => (await state(id)) === "succeeded");
      assert.deepEqual(await stage.fingerprint(), stage.original);
    });

  it("asks for the run by its name when the connection breaks in the middle, and begins no other", async () => {
    const holder = await holdDatabase();
    let isCut = false;
    const waiting = (bytes: Buffer) => bytes.includes('"step":"waiting"');
    await using proxy = await tcpProxy(Number(new URL(restore.url).port), () => ({
      sent: () => true,
      answered(bytes) {
        if (isCut || !waiting(bytes)) return true;
        isCut = true;
        setImmediate(() => {
          proxy.reset();
          void holder.end();
        });
        return true;
      },
    }));

    const { code, stdout, stderr } = await dormouse([
      "restore",
      "--yes",
      stage.database,
      "--url",
      `restore=http://127.0.0.1:${proxy.port}`,
    ]);

    assert.equal(code, 0, stderr);
    assert.ok(isCut);
    assert.match(stderr, /the connection broke/);
    assert.match(stdout, /counted .*\n.*downtime/);
    assert.deepEqual(await stage.fingerprint(), stage.original);
    const { runs } = (await (await restore.get("/runs")).json()) as { runs: Run[] };
    assert.equal(runs[0]?.id, runOf(stderr));
    assert.equal(runs[1]?.request["dryRun"], true, "one plan, then one restore");
  });

  it("draws nothing again and asks nothing without a terminal, with CI or NO_COLOR", async () => {
    await using terminal = inTerminal(["plan", "--url", url], { NO_COLOR: "1" });
    await using script = inTerminal(["restore", "--url", url], { CI: "true" });

    assert.equal(await terminal.ended, 0);
    assert.equal(terminal.screen().includes("\u001B["), false, terminal.screen());
    assert.equal(await script.ended, 2);
  });
});
