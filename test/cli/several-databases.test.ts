import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Status } from "../../cli/commands/status-of.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { dormouse } from "../support/program.ts";
import { setSeveralStage, type SeveralStage } from "../support/several-stage.ts";

describe("dormouse, with several databases", () => {
  let stage: SeveralStage;
  let restore: FunctionProcess;
  before(async () => {
    stage = await setSeveralStage();
    restore = await stage.start();
  });
  beforeEach(() => stage.spoil());
  after(() => stage[Symbol.asyncDispose]());

  const ask = (...args: string[]) => dormouse([...args, "--url", `restore=${restore.url}`]);

  it("plans, restores, rehearses and undoes the latest of the one that is named", async () => {
    const [first, second] = stage.databases;
    const of = ["--database", second];

    const planned = await ask("plan", "--json", ...of);
    const restored = await ask("restore", ...of, "--yes", second);
    const live = await Promise.all([first, second].map((database) => stage.says(database)));
    const rehearsed = await ask("rehearse", ...of);
    const other = await ask("restore", "--database", first, "--yes", first);
    const unclear = await ask("undo", "--yes", first);
    const undone = await ask("undo", ...of, "--yes", second);

    for (const { code, stdout, stderr } of [planned, restored, rehearsed, other, undone])
      assert.equal(code, 0, stdout + stderr);
    assert.equal((JSON.parse(planned.stdout) as { database: string }).database, second);
    assert.deepEqual(live, ["spoilt", second]);
    assert.equal(unclear.code, 2, unclear.stderr);
    assert.match(unclear.stderr, /restores of several databases can be taken back: .*\n.*--database NAME/);
    assert.deepEqual([await stage.says(first), await stage.says(second)], [first, "spoilt"]);
  });

  it("asks which one is meant where none is named, and does nothing", async () => {
    const [first] = stage.databases;

    const { code, stderr } = await ask("restore", "--yes", first);

    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`add "database": "${first}"`));
    assert.equal(await stage.says(first), "spoilt");
  });

  it("shows how each stands, and the database of each run", async () => {
    const status = await ask("status", "--json");
    const runs = await ask("runs");

    const { databases } = JSON.parse(status.stdout) as Status;
    assert.deepEqual(
      databases.map(({ database }) => database),
      stage.databases,
    );
    assert.match(runs.stdout, /^RUN +DATABASE +WHAT/);
    assert.match(runs.stdout, new RegExp(`^restore-\\w+ +${stage.databases[1]} +rehearse`, "m"));
  });
});
