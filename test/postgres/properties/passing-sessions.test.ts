import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { restoreServer } from "../../../shared/postgres/databases/restore-server.ts";
import { NO_NEEDS } from "../../../shared/postgres/plain-dump/script-needs.ts";
import { advisoryLock } from "../../../shared/postgres/session/advisory-lock.ts";
import { openLibpq } from "../../../shared/postgres/session/libpq.ts";
import { until } from "../../support/faulty.ts";
import { startPostgres, type OwnServer } from "../../support/postgres.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";

const never = new AbortController().signal;

describe("a session of another role, which the role that restores may not end", () => {
  let server: OwnServer;
  before(async () => {
    server = await startPostgres();
    await server.query("postgres", "CREATE ROLE app LOGIN CREATEDB PASSWORD 'app'");
    await server.query("postgres", "CREATE ROLE backup LOGIN PASSWORD 'backup'");
    await server.query("postgres", "CREATE DATABASE hets OWNER app");
  });
  after(() => server?.[Symbol.asyncDispose]());

  async function session(application_name: string): Promise<pg.Client> {
    const { host, port } = server;
    const as = { user: "backup", password: "backup", database: "hets" };
    const client = new pg.Client({ host, port, ...as, application_name });
    await client.connect();
    return client;
  }

  async function untouchable(): Promise<readonly string[]> {
    const settings = settingsOf(server, { user: "app", password: "app" });
    await using libpq = await openLibpq(settings);
    const limits = { deadlineMs: 600_000, stallMs: 600_000, jobs: 1, secrets: [] };
    const restore = restoreServer(settings, libpq, limits, { binDir: server.binDir, searchPath: "" });
    const request = { database: "hets", target: "hets", needs: NO_NEEDS };
    return (await restore.inspect(request, never)).untouchableSessions;
  }

  async function looks(): Promise<boolean> {
    const sql = `SELECT FROM pg_stat_activity WHERE usename = 'app' AND query LIKE '%pg_stat_activity%'`;
    return (await server.query("postgres", sql)).rowCount === 1;
  }

  it("is no trouble if it is Dormouse's, as of its doctor, and ends by itself", async () => {
    const other = await session("dormouse");
    const found = untouchable();
    await until(looks);
    await other.end();

    assert.deepEqual(await found, []);
  });

  it("is no trouble if it is of the run that has the lock of the database: a restore waits for that", async () => {
    const other = await session("dormouse");
    const lock = advisoryLock(settingsOf(server, { user: "backup", password: "backup" }));

    const found = await lock.hold({ database: "hets" }, never, untouchable);
    await other.end();

    assert.deepEqual(found, []);
  });

  for (const program of ["dormouse", "report"])
    it(`is reported if it stays: ${program}`, async () => {
      const other = await session(program);

      const found = await untouchable();
      await other.end();

      assert.equal(found.length, 1);
      assert.match(found.join(), new RegExp(String.raw`^pid \d+ of backup \(${program}\)$`));
    });
});
