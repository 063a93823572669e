import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NewRun } from "../../shared/backup/run.ts";
import { runFiles } from "../../shared/catalog/run-files.ts";
import { DormouseError } from "../../shared/errors.ts";
import { jsonLog } from "../../shared/log.ts";
import type { Work } from "../../shared/runtime/carry-out.ts";
import { runsOf } from "../../shared/runtime/runs.ts";
import { temporaryVolume } from "../support/volume.ts";

const now = () => new Date();
const silent = jsonLog(() => undefined, now);
const WANTED: NewRun = {
  kind: "restore",
  database: "hets",
  trigger: { source: "/dormouse/http", id: "my-key" },
  request: { filename: "latest" },
};

describe("runs", () => {
  it("take up what could not be settled when the same is asked again", async () => {
    await using volume = await temporaryVolume();
    const runs = runsOf({ store: runFiles(volume.path, silent, now), log: silent, now });
    const takenUp: boolean[] = [];
    const work: Work = async ({ isTakenUp }) => {
      takenUp.push(isTakenUp);
      if (isTakenUp) return "done";
      throw new DormouseError("restore_unsettled", "the server is away");
    };
    const signal = AbortSignal.timeout(5_000);

    const first = await (await runs.start(WANTED, work)).finished(signal);
    const again = await (await runs.start(WANTED, work)).finished(signal);
    const known = await (await runs.start(WANTED, work)).finished(signal);

    assert.deepEqual([first.state, first.problem?.code], ["interrupted", "restore_unsettled"]);
    assert.deepEqual([again.id, again.state, again.result], [first.id, "succeeded", "done"]);
    assert.deepEqual([known.state, takenUp], ["succeeded", [false, true]]);
  });
});
