import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runFiles } from "../../shared/run/run-files.ts";
import { jsonLog } from "../../shared/log.ts";
import { temporaryVolume } from "../support/volume.ts";

/** As versions wrote it that called codes and steps otherwise. */
const FAILED = {
  id: "backup-00112233445566778899aabb",
  kind: "backup",
  state: "failed",
  database: "hets",
  trigger: { source: "/apis/v1/namespaces/hets/pingsources/daily", id: "a1", at: "2025-11-22T01:00:07.123Z" },
  request: {},
  attempt: 1,
  acceptedAt: "2025-11-22T01:00:08.000Z",
  updatedAt: "2025-11-22T01:02:08.000Z",
  finishedAt: "2025-11-22T01:02:08.000Z",
  steps: [{ step: "unmirrored", at: "2025-11-22T01:01:08.000Z", detail: { place: "bucket" } }],
  problem: { code: "mirror_unequal", message: "the bucket holds other bytes", hint: "look at the bucket" },
  // No version of today knows it.
  gone: true,
};

const RESTORED = {
  ...FAILED,
  id: "restore-00112233445566778899aabb",
  kind: "restore",
  state: "running",
  request: { filename: "2025-11-21/hets2025-11-21-01-00.bak" },
  finishedAt: undefined,
  problem: undefined,
  steps: [{ step: "exchanged", at: "2025-11-22T01:01:08.000Z" }],
  journal: {
    strategy: "swap",
    phase: "starting",
    database: "hets",
    source: "2025-11-21/hets2025-11-21-01-00.bak",
    loaded: "hets__restore_00112233",
    kept: "hets__before_00112233",
    workloads: [{ kind: "deployment", name: "server", replicas: 2 }],
  },
};

describe("records of earlier versions", () => {
  it("are found by their ids, with the codes and steps of their time", async () => {
    await using volume = await withRecords();
    const runs = runFiles(volume.path, jsonLog(assert.fail));

    const found = await runs.find(FAILED.id);

    assert.equal(found?.problem?.code, "mirror_unequal");
    assert.deepEqual(
      found.steps.map(({ step }) => step),
      ["unmirrored"],
    );
    assert.equal(found.acceptedAt.toISOString(), FAILED.acceptedAt);
    assert.deepEqual(
      (await runs.all("backup")).map(({ id }) => id),
      [FAILED.id],
    );
  });

  it("are the same runs to the events that made them", async () => {
    await using volume = await withRecords();
    const runs = runFiles(volume.path, jsonLog(assert.fail));
    const { source, id, at } = FAILED.trigger;

    const { run } = await runs.begin({
      kind: "backup",
      database: "hets",
      trigger: { source, id, at: new Date(at) },
      request: {},
    });

    assert.equal(run.id, FAILED.id);
    assert.equal(run.attempt, 2);
  });

  it("keep the backup that an unfinished restore needs, and the workloads that it has stopped", async () => {
    await using volume = await withRecords();
    const runs = runFiles(volume.path, jsonLog(assert.fail));

    const [unfinished] = await runs.unfinished("restore", "hets");

    assert.deepEqual(unfinished?.journal, RESTORED.journal);
    assert.deepEqual([...(await runs.inUse()).entries()], [[RESTORED.request.filename, RESTORED.id]]);
  });
});

async function withRecords() {
  const volume = await temporaryVolume();
  const folder = join(volume.path, ".dormouse", "runs");
  await mkdir(folder, { recursive: true });
  for (const record of [FAILED, RESTORED])
    await writeFile(join(folder, `${record.id}.json`), JSON.stringify(record));
  return volume;
}
