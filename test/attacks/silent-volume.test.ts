import assert from "node:assert/strict";
import { execa } from "execa";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { cull, cullEnvironment, fillVolume } from "../support/culled.ts";
import { preload, problemIn, setStage } from "../support/faulty.ts";
import { manifestOf, startFunction } from "../support/function-process.ts";
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

  it("ends a listing that waits for a manifest, and no other answer waits with it", async () => {
    await using volume = await temporaryFolder();
    await using outside = await temporaryFolder();
    const [backup] = await fillVolume(volume.path, 1);
    const fifo = join(outside.path, "server");
    await execa("mkfifo", [fifo]);
    await using culler = await startFunction(
      "cull",
      cullEnvironment(volume.path, {
        ...preload("silent-volume-preload.ts"),
        DORMOUSE_TEST_SILENT: String.raw`\.bak\.json$`,
        DORMOUSE_TEST_FIFO: fifo,
        VOLUME_TIMEOUT_SECONDS: "2",
      }),
    );

    const answers = await Promise.all([
      problemIn(culler.post({ dryRun: true })).then(({ code, detail }) => [code, detail] as const),
      culler.get("/health/liveness").then(({ status }) => status),
    ]);

    assert.equal(answers[1], 200);
    assert.deepEqual(answers[0], [
      "volume_silent",
      `the volume does not answer: read of ${join(volume.path, backup?.name ?? "")}.json, for 2 s`,
    ]);
    const writer = await open(fifo, "w");
    await rm(fifo);
    await writer.close();
    while ((await culler.get("/health/readiness")).status !== 200) await pause(20);
    assert.equal((await cull(culler, { dryRun: true })).kept, 1);
  });
});
