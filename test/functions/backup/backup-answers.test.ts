import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Run } from "../../../shared/run/run.ts";
import { setBackupStage, type BackupStage } from "../../support/backup-stage.ts";
import { until } from "../../support/faulty.ts";
import type { TestServer } from "../../support/postgres.ts";

describe("the backup function and its caller", () => {
  let stage: BackupStage;
  before(async () => void (stage = await setBackupStage()));
  after(() => stage[Symbol.asyncDispose]());

  it("answers at once with respond-async, and shows how the run stands", async () => {
    const response = await stage.backup.post({}, { prefer: "respond-async" });
    const location = response.headers.get("location") ?? "";
    await stage.settled();
    const run = (await (await stage.backup.get(location)).json()) as Run;
    const waited = await stage.backup.post({}, { prefer: "wait=0" });
    await stage.settled();

    assert.equal(response.status, 202);
    assert.equal(run.state, "succeeded");
    assert.deepEqual(
      run.steps.map(({ step }) => step),
      ["locked", "inspected", "dumped", "verified", "published"],
    );
    assert.equal(waited.status, 202);
    assert.equal((await stage.backup.get("/runs/backup-000000000000000000000000")).status, 404);
  });

  it("streams one line for each step", async () => {
    const response = await stage.backup.post({}, { accept: "application/x-ndjson" });
    const lines = (await response.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);

    assert.equal(response.headers.get("content-type"), "application/x-ndjson");
    // Only a long dump has progress.
    const told = lines.map((line) => line["step"] ?? line["type"]);
    assert.deepEqual(
      told.filter((each) => each !== "progress"),
      ["run", "locked", "inspected", "dumped", "verified", "published", "result"],
    );
  });

  it("goes on when the caller hangs up", async () => {
    const before = (await stage.catalog()).length;
    const recorded = async () => (await stage.records()).length;
    const runs = await recorded();
    const hangUp = new AbortController();
    const call = fetch(stage.backup.url, { method: "POST", signal: hangUp.signal }).catch(() => undefined);
    await until(async () => (await recorded()) > runs);
    hangUp.abort();
    await call;
    await stage.settled();

    assert.equal((await stage.catalog()).length, before + 1);
  });

  it("answers a second caller that the database is busy, and changes nothing", async () => {
    const holder = await stage.server.connect(stage.database);
    await holder.query("BEGIN; LOCK TABLE hire.owner IN ACCESS EXCLUSIVE MODE");
    const first = stage.backup.post();
    await stage.backup.logged("step inspected");
    while (!(await isDumping(stage.server, stage.database))) await pause(20);

    const second = await stage.backup.post();
    await holder.end();

    assert.equal(second.status, 409);
    assert.equal(((await second.json()) as { code: string }).code, "database_busy");
    assert.equal((await first).status, 200);
  });
});

async function isDumping(server: TestServer, database: string): Promise<boolean> {
  const sql =
    "SELECT FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'";
  return (await server.query("postgres", sql, [database])).rows.length > 0;
}
