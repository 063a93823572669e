import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { manifestOf } from "../support/function-process.ts";
import { dumpSessions, problemIn, setStage, until, type Stage } from "../support/faulty.ts";
import { startPostgres } from "../support/postgres.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";

describe("a backup whose server fails", () => {
  it("names a wrong password and shows none", async () => {
    await using stage = await setStage();
    const backup = await stage.start({ POSTGRESQL_PASSWORD: "not-the-one", RETRY_SECONDS: "600" });

    const problem = await problemIn(backup.post());

    assert.equal(problem.code, "password_rejected");
    assert.equal(problem.status, 500);
    assert.doesNotMatch(JSON.stringify([problem, backup.lines]), /not-the-one/);
    await stage.assertUntouched();
  });

  it("names a database that does not exist", async () => {
    await using stage = await setStage();
    const backup = await stage.start({ POSTGRESQL_DATABASE: "nowhere", RETRY_SECONDS: "600" });

    const problem = await problemIn(backup.post());

    assert.equal(problem.code, "database_not_found");
    assert.match(problem.detail, /nowhere/);
    await stage.assertUntouched();
  });

  it("says that a server is down, and waits for it within RETRY_SECONDS", async () => {
    await using server = await startPostgres();
    await using stage = await setStage({ server });
    const [impatient, patient] = [await stage.start(), await stage.start({ RETRY_SECONDS: "600" })];
    await server.stop();

    const problem = await problemIn(impatient.post());
    await stage.assertUntouched();
    const answer = patient.post();
    const { hint, triesForMs } = await patient.logged("step retrying");
    await server.start();

    assert.deepEqual([problem.status, problem.code], [503, "server_unreachable"]);
    assert.equal(hint, problem.hint);
    assert.ok(Number(triesForMs) > 0 && Number(triesForMs) <= 600_000, String(triesForMs));
    assert.equal((await manifestOf(await answer)).sequence, 2);
  });

  it("fails when its session is ended in the middle, and takes another one when it may", async () => {
    await using stage = await setStage();
    const { answer, release } = await stage.startHeld();
    await endDumpSessions(stage);
    const problem = await problemIn(answer);
    await release();
    await stage.assertUntouched();

    const held = await stage.startHeld({ RETRY_SECONDS: "600" });
    await endDumpSessions(stage);
    await held.backup.logged("step retrying");
    await held.release();

    assert.deepEqual([problem.status, problem.code], [503, "connection_lost"]);
    assert.equal((await manifestOf(await held.answer)).sequence, 2);
  });

  it("takes another dump if a table is dropped before pg_dump has come to it", async () => {
    await using stage = await setStage();
    const backup = await stage.start({ RETRY_SECONDS: "600" });
    const holder = await stage.server.connect(stage.database);
    await holder.query("CREATE TABLE staging (id int)");
    await holder.query("BEGIN; DROP TABLE staging");

    const answer = backup.post();
    await until(async () => (await dumpSessions(stage)).length > 0);
    await holder.query("COMMIT");
    await holder.end();

    const { code } = await backup.logged("step retrying");
    assert.equal(code, "dump_conflict");
    assert.equal((await manifestOf(await answer)).sequence, 2);
  });

  it("says that the catalogs may be damaged if what pg_dump has listed is not there", async () => {
    await using stage = await setStage();
    const backup = await stage.start();
    await stage.server.query(
      stage.database,
      `CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW ones AS SELECT one();
       DELETE FROM pg_proc WHERE proname = 'one'`,
    );

    const problem = await problemIn(backup.post());

    assert.match(problem.detail, /cache lookup failed for function/);
    assert.match(problem.hint ?? "", /the catalogs of the database are damaged/);
    await stage.assertUntouched();
  });

  it("names the setting if the server has no room for a lock on each table", async () => {
    await using server = await startPostgres({ max_connections: "8", max_locks_per_transaction: "10" });
    await using stage = await setStage({ server });
    const tables = (batch: number) =>
      Array.from({ length: 100 }, (_, n) => `CREATE TABLE partition_${batch}_${n} (id int)`).join("; ");
    for (let batch = 0; batch < 10; batch++) await server.query(stage.database, tables(batch));
    const backup = await stage.start();

    const problem = await problemIn(backup.post());

    assert.deepEqual([problem.status, problem.code], [503, "locks_exhausted"]);
    assert.match(problem.hint ?? "", /max_locks_per_transaction/);
    await stage.assertUntouched();
  });

  it("fails when pg_dump is killed, and leaves nothing", async () => {
    await using stage = await setStage();
    const { backup, answer, release } = await stage.startHeld();
    for (const pid of await childrenOf(backup.pid, "pg_dump")) process.kill(pid, "SIGKILL");

    const problem = await problemIn(answer);
    await release();

    assert.deepEqual([problem.status, problem.code], [500, "dump_failed"]);
    await stage.assertUntouched();
  });

  it("gives up on a table that a session holds exclusively", async () => {
    await using stage = await setStage();
    const { answer, release } = await stage.startHeld({ LOCK_WAIT_SECONDS: "1" });

    const problem = await problemIn(answer);
    await release();

    assert.deepEqual([problem.status, problem.code], [503, "lock_timeout"]);
    assert.match(problem.detail, /owner/);
    await stage.assertUntouched();
  });

  it("gives up on a server that does not answer", async () => {
    await using stage = await setStage();
    await using proxy = await tcpProxy(stage.server.port);
    proxy.blackhole();
    const backup = await stage.start({ PGPORT: `${proxy.port}` });

    const problem = await problemIn(backup.post());

    assert.deepEqual([problem.status, problem.code], [503, "server_unreachable"]);
    await stage.assertUntouched();
  });

  it("gives up on a server that falls silent in the middle", async () => {
    await using stage = await setStage();
    await using proxy = await tcpProxy(stage.server.port);
    const changes = { PGPORT: `${proxy.port}`, STALL_TIMEOUT_SECONDS: "1" };
    const { answer, release } = await stage.startHeld(changes);
    proxy.blackhole();

    const problem = await problemIn(answer);
    await release();

    assert.deepEqual([problem.status, problem.code], [503, "dump_stalled"]);
    await stage.assertUntouched();
  });
});

async function endDumpSessions(stage: Stage): Promise<void> {
  for (const pid of await dumpSessions(stage)) {
    await stage.server.query("postgres", "SELECT pg_terminate_backend($1)", [pid]);
  }
}

/** Processes that `parent` started, by the name of their program. */
async function childrenOf(parent: number, program: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const [, pid, name, ppid] = /^(\d+) \((.*)\) \S+ (\d+)/.exec(stat) ?? [];
    if (name === program && Number(ppid) === parent) found.push(Number(pid));
  }
  assert.notEqual(found.length, 0);
  return found;
}
