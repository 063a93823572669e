import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { RestoreOverview } from "../../functions/restore/show-restores.ts";
import { preload } from "../support/faulty.ts";
import { manifestOf, minutesAgo, startFunction } from "../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

const DAYS = 3;
/** Of the pod; the server's own decides. */
const AHEAD = {
  ...preload("clock-preload.ts"),
  DORMOUSE_TEST_CLOCK_OFFSET_MS: String(DAYS * 86_400_000),
};

describe("pods whose clock is days ahead", () => {
  let stage: RestoreStage;
  let run: string;
  before(async () => {
    stage = await setRestoreStage();
    await using restore = await stage.start();
    ({ run } = await stage.readResult(restore.post({ filename: "latest" })));
  });
  after(() => stage[Symbol.asyncDispose]());

  it("drop no database that a restore keeps, and undo it", async () => {
    await using backup = await startFunction("backup", { ...stage.environment, ...AHEAD });
    await manifestOf(await backup.post({}));
    const ahead = await stage.start(AHEAD);
    await ahead.ping({ time: minutesAgo(-DAYS * 24 * 60) });

    const { undo } = (await (await ahead.get("/")).json()) as RestoreOverview;
    await stage.readResult(ahead.post({ undo: run }));

    assert.deepEqual(
      undo.map((each) => [each.run, each.database]),
      [[run, stage.before(run)]],
    );
    assert.equal((await stage.databases()).length, 2);
  });
});
