import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { startFunction } from "../support/function-process.ts";
import { endedRestore } from "../support/restore-cluster.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

describe("functions of two databases that share a volume", () => {
  let stage: RestoreStage;
  let neighbour: string;

  beforeEach(async () => {
    stage = await setRestoreStage();
    neighbour = await stage.server.createDatabase();
  });
  afterEach(async () => {
    await stage[Symbol.asyncDispose]();
    await stage.server.dropDatabase(neighbour);
  });

  it("leave what the other has not finished to it: a restore", async () => {
    await stage.destroyData();
    const record = await stage.kill("after step fenced");
    const left = await readFile(record, "utf8");

    const others = await stage.start({ POSTGRESQL_DATABASE: neighbour });
    await others.ping();
    await others.end("SIGTERM");
    const untouched = await readFile(record, "utf8");
    await stage.start();
    const run = await endedRestore(stage.path);

    assert.deepEqual(JSON.parse(untouched), JSON.parse(left));
    assert.equal(run.state, "succeeded", JSON.stringify(run.problem));
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("leave what the other has not finished to it: a backup", async () => {
    const record = join(stage.path, ".dormouse", "runs", "backup-0123456789abcdef01234567.json");
    const at = new Date().toISOString();
    const left = {
      id: "backup-0123456789abcdef01234567",
      kind: "backup",
      state: "running",
      database: neighbour,
      trigger: { source: "http", id: "left" },
      request: { isEvent: false },
      attempt: 1,
      acceptedAt: at,
      updatedAt: at,
      steps: [],
    };
    await writeFile(record, JSON.stringify(left));

    await using backup = await startFunction("backup", stage.environment);
    await backup.get("/");
    await backup.end("SIGTERM");

    assert.deepEqual(JSON.parse(await readFile(record, "utf8")), left);
  });
});
