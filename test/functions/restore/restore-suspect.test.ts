import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { RestoreOverview } from "../../../functions/restore/show-restores.ts";
import { cullEnvironment } from "../../support/culled.ts";
import { manifestOf, startFunction } from "../../support/function-process.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { setRestoreStage } from "../../support/restore-stage.ts";

describe("a restore after a table was lost", () => {
  it("warns of the backups since then and leads to the last one before, until the loss is acknowledged", async () => {
    await using stage = await setRestoreStage();
    const good = stage.backup.name;
    await stage.destroyData();
    await using backup = await startFunction("backup", stage.environment);
    const bad = (await manifestOf(await backup.post())).name;
    const restore = await stage.start();
    const shown = async () => {
      const { backups } = (await (await restore.get("/")).json()) as RestoreOverview;
      return backups.map(({ name, suspicion }) => [name, suspicion?.against]);
    };
    const listWarnings = async (filename: string) =>
      (await askPlan(restore, { filename })).warnings.filter((each) => each.includes("suspect"));

    const listed = await shown();
    const [warning = "", ...more] = await listWarnings("latest");
    const ofGood = await listWarnings(good);
    const told = await restore.post({ filename: bad, into: "scratch" }, { accept: "application/x-ndjson" });
    const steps = (await told.text()).split("\n").filter((line) => line.includes('"planned"'));

    assert.deepEqual(listed, [
      [bad, good],
      [good, undefined],
    ]);
    assert.match(warning, /^the backup is suspect: table Odd Names\.Größe with \d+ rows is gone/);
    assert.ok(warning.endsWith(`the last one before it that is not suspect is ${good}`), warning);
    assert.deepEqual([more, ofGood], [[], []]);
    assert.ok(steps.join().includes(JSON.stringify(warning)), steps.join());

    await using cull = await startFunction("cull", cullEnvironment(stage.path));
    const answer = await cull.post({ acknowledge: bad, reason: "it was dropped on purpose" });
    assert.notEqual(((await answer.json()) as BackupManifest).acknowledged, undefined);
    assert.deepEqual(await listWarnings("latest"), []);
    assert.deepEqual((await shown())[0], [bad, undefined]);
  });
});
