import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NewRun } from "../../shared/run/run.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { DormouseError } from "../../shared/errors.ts";
import { jsonLog } from "../../shared/log.ts";
import type { Work } from "../../shared/run/execute-run.ts";
import { createRuns } from "../../shared/run/runs.ts";
import { temporaryVolume } from "../support/volume.ts";

const silent = jsonLog(() => undefined);
const WANTED: NewRun = {
  kind: "restore",
  database: "hets",
  trigger: { source: "/dormouse/http", id: "my-key" },
  request: { filename: "latest" },
};

describe("runs", () => {
  it("take up what could not be settled when the same is asked again", async () => {
    await using volume = await temporaryVolume();
    const runs = createRuns({ store: runFiles(volume.path, silent), log: silent });
    const resumed: boolean[] = [];
    const work: Work = async ({ isResumed }) => {
      resumed.push(isResumed);
      if (isResumed) return "done";
      throw new DormouseError("rollback_pending", "the server is away");
    };
    const signal = AbortSignal.timeout(60_000);

    const first = await (await runs.start(WANTED, work)).finished(signal);
    const again = await (await runs.start(WANTED, work)).finished(signal);
    const known = await (await runs.start(WANTED, work)).finished(signal);

    assert.deepEqual([first.state, first.problem?.code], ["interrupted", "rollback_pending"]);
    assert.deepEqual([again.id, again.state, again.result], [first.id, "succeeded", "done"]);
    assert.deepEqual([known.state, resumed], ["succeeded", [false, true]]);
  });

  it("show the caller how another process ended the run", async () => {
    await using volume = await temporaryVolume();
    const store = runFiles(volume.path, silent);
    const runs = createRuns({ store, log: silent });
    const work: Work = async ({ run, step }) => {
      const theirs = { ...run, attempt: run.attempt + 1, state: "running" } as const;
      await store.update(theirs);
      setTimeout(() => void store.update({ ...theirs, state: "succeeded", result: "theirs" }), 100);
      await step("locked");
    };

    const { finished } = await runs.start(WANTED, work);
    const ended = await finished(AbortSignal.timeout(60_000));

    assert.deepEqual([ended.state, ended.attempt, ended.result], ["succeeded", 2, "theirs"]);
  });

  it("wait for another process until they are stopped, and no longer", async () => {
    await using volume = await temporaryVolume();
    const store = runFiles(volume.path, silent);
    const runs = createRuns({ store, log: silent });
    const work: Work = async ({ run, step }) => {
      await store.update({ ...run, attempt: run.attempt + 1, state: "running" });
      await step("locked");
    };

    const { finished } = await runs.start(WANTED, work);
    const waiting = finished(AbortSignal.timeout(60_000));
    await runs.settle(1_000, new DormouseError("interrupted", "the pod is told to stop"));

    assert.equal((await waiting).problem?.code, "run_superseded");
  });
});
