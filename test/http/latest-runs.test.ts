import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Run } from "../../shared/run/run.ts";
import { backupEnvironment, startFunction } from "../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

type Line = {
  readonly type: string;
  readonly step?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
};

describe("the runs that a function lists", () => {
  let stage: RestoreStage;
  before(async () => void (stage = await setRestoreStage()));
  after(() => stage[Symbol.asyncDispose]());

  it("lists its latest, newest first, without what only the function itself needs", async () => {
    const restore = await stage.start();
    await stage.readResult(restore.post({ filename: "latest", into: "scratch" }));
    const { run } = await stage.readResult(restore.post({ filename: "latest" }));

    const { runs } = (await (await restore.get("/runs")).json()) as { runs: Run[] };

    assert.deepEqual(
      runs.map(({ request }) => request["strategy"]),
      ["swap", "rehearse"],
    );
    assert.equal(runs[0]?.id, run);
    assert.deepEqual(
      runs.flatMap((each) => Object.keys(each)).filter((key) => key === "journal" || key === "result"),
      [],
    );
    assert.ok(runs[0]?.steps.some(({ step }) => step === "loaded"));
  });

  it("streams how far a dump is in numbers, with the size that the one before lets expect", async () => {
    await using backup = await startFunction(
      "backup",
      backupEnvironment(stage.server, stage.database, stage.path),
    );

    const answer = await backup.post({}, { accept: "application/x-ndjson" });

    const lines = (await answer.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    const told = lines.filter(({ step }) => step === "progress").map(({ detail }) => detail ?? {});
    assert.deepEqual(
      told.map(({ dumping }) => dumping),
      [stage.database],
    );
    assert.ok(Number(told[0]?.["bytes"]) > 0, JSON.stringify(told));
    assert.ok(Number(told[0]?.["expectedBytes"]) > 0, JSON.stringify(told));
    assert.equal(typeof told[0]?.["bytesPerSecond"], "number");
  });
});
