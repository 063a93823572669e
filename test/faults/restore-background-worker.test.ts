import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { problemIn, until } from "../support/faulty.ts";
import { startPostgres, type OwnServer } from "../support/postgres.ts";
import { setRestoreStage } from "../support/restore-stage.ts";

describe("a background worker in the live database", () => {
  it("is named, with its pid, and keeps no restore waiting when it has ended", async (test) => {
    const server = await startWithPrewarm();
    if (server === undefined) return test.skip("this server comes without pg_prewarm");
    await using _server = server;
    await using stage = await setRestoreStage({ server });
    // At its start the server reads back into memory what lay there, by a worker for each database; this one waits for a
    // lock that outlives the restart.
    await server.query("postgres", "CREATE EXTENSION pg_prewarm; SELECT autoprewarm_dump_now()");
    const lock = "BEGIN; LOCK TABLE hire.equipment IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'lock'";
    await server.query(stage.database, lock);
    await server.stop();
    await server.start();
    const sql = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'autoprewarm worker'";
    const workers = async () =>
      (await server.query("postgres", sql, [stage.database])).rows as { pid: number }[];
    await until(async () => (await workers()).length === 1);
    const [worker] = await workers();
    const restore = await stage.start();

    const problems = [
      await problemIn(restore.post({ filename: "latest" })),
      await problemIn(restore.post({ filename: "latest", strategy: "in-place" })),
    ];
    await server.query(stage.database, "ROLLBACK PREPARED 'lock'");
    await until(async () => (await workers()).length === 0);
    await stage.readResult(restore.post({ filename: "latest" }));

    for (const { code, detail } of problems) {
      assert.equal(code, "restore_blocked");
      assert.match(detail, new RegExp(`background workers .*: autoprewarm worker \\(pid ${worker?.pid}\\)`));
    }
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });
});

async function startWithPrewarm(): Promise<OwnServer | undefined> {
  try {
    return await startPostgres({ shared_preload_libraries: "pg_prewarm", max_prepared_transactions: "5" });
  } catch (error) {
    if (error instanceof Error && /could not access file "pg_prewarm"/.test(error.message)) return undefined;
    throw error;
  }
}
