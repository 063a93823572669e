import assert from "node:assert/strict";
import { execa } from "execa";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { preload, problemIn, setStage } from "../support/faulty.ts";
import { manifestOf } from "../support/function-process.ts";
import { temporaryFolder } from "../support/volume.ts";

describe("a volume whose server is gone", () => {
  it("ends the run, which names call and path, and readiness with it, until it answers again", async () => {
    await using stage = await setStage();
    await using outside = await temporaryFolder();
    const fifo = join(outside.path, "server");
    await execa("mkfifo", [fifo]);
    const backup = await stage.start({
      ...preload("silent-volume-preload.ts"),
      DORMOUSE_TEST_SILENT: String.raw`/\d{4}-\d\d-\d\d(/|$)`,
      DORMOUSE_TEST_FIFO: fifo,
      VOLUME_TIMEOUT_SECONDS: "2",
    });
    const health = async (what: string) => (await backup.get(`/health/${what}`)).status;
    const before = await health("readiness");

    const problem = await problemIn(backup.post());
    const meanwhile = [await health("readiness"), await health("liveness")];
    const failed = backup.lines.find(({ message }) => message === "run failed");

    assert.deepEqual([before, problem.status, problem.code], [200, 503, "volume_silent"]);
    assert.match(problem.detail, /does not answer: \w+ of \/.*\d{4}-\d\d-\d\d.*, for \d+ s/);
    assert.deepEqual(meanwhile, [503, 200]);
    assert.equal(failed?.["code"], "volume_silent");
    assert.match(String(failed["run"]), /^backup-/);

    const writer = await open(fifo, "w");
    await rm(fifo);
    await writer.close();
    while ((await health("readiness")) !== 200) await pause(20);
    assert.match((await manifestOf(await backup.post())).name, /\.bak$/);
  });
});
