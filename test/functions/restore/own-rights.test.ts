import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import type { RestoreResult } from "../../../functions/restore/journal/restore-result.ts";
import type { RestorePlan } from "../../../functions/restore/plan/restore-plan.ts";
import { backupEnvironment, restoreEnvironment, startFunction } from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { temporaryFolder } from "../../support/volume.ts";

const OWNER = `own_rights_${randomBytes(4).toString("hex")}`;
const FORCED = "ALTER TABLE s.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s.t FORCE ROW LEVEL SECURITY";

/** What an owner takes from itself, and gives back in the live database: a safety backup would lack the rows. */
const TAKEN: Readonly<Record<string, readonly [taken: string, back: string]>> = {
  "a table": [`REVOKE ALL ON s.t FROM ${OWNER}`, `GRANT SELECT ON s.t TO ${OWNER}`],
  "a table but for a column": [
    `REVOKE ALL ON s.t FROM ${OWNER}; GRANT SELECT (a) ON s.t TO ${OWNER}`,
    `GRANT SELECT ON s.t TO ${OWNER}`,
  ],
  "a schema, and rows by row security": [
    `${FORCED}; REVOKE ALL ON SCHEMA s FROM ${OWNER}`,
    `GRANT USAGE ON SCHEMA s TO ${OWNER}; ALTER TABLE s.t NO FORCE ROW LEVEL SECURITY`,
  ],
};
const RIGHTS = `SELECT nspacl, relacl, attacl, relforcerowsecurity FROM pg_namespace n JOIN pg_class c ON relnamespace = n.oid
  JOIN pg_attribute a ON attrelid = c.oid AND attname = 'a' WHERE nspname = 's' AND relname = 't'`;

/** What stands in the way of the statements that wipe and count. */
const WITHOUT_BLOCKS: Readonly<Record<string, string>> = {
  dropped: "DROP EXTENSION plpgsql",
  "not for all": "REVOKE ALL ON LANGUAGE plpgsql FROM PUBLIC",
};

describe("a restore by the owner of what is restored", () => {
  let server: TestServer;
  before(async () => {
    server = await sharedServer();
    await server.query("postgres", `CREATE ROLE ${OWNER} LOGIN CREATEDB PASSWORD 'x'`);
  });
  after(() => server.query("postgres", `DROP ROLE ${OWNER}`));

  /** A database of which there is a backup, and the function that restores it. */
  async function backedUp(sql: string) {
    const database = await server.createDatabase();
    await server.query("postgres", `ALTER DATABASE ${database} OWNER TO ${OWNER}`);
    // Of the owner of the database from 15 on.
    if (server.major < 15) await server.query(database, `ALTER SCHEMA public OWNER TO ${OWNER}`);
    await server.query(
      database,
      `SET ROLE ${OWNER}; CREATE SCHEMA s; CREATE TABLE s.t AS SELECT generate_series(1, 9) AS a; ${sql}`,
    );
    const volume = await temporaryFolder();
    {
      await using backup = await startFunction("backup", backupEnvironment(server, database, volume.path));
      assert.equal((await backup.post()).status, 200);
    }
    const as = { POSTGRESQL_USER: OWNER, POSTGRESQL_PASSWORD: "x" };
    const restore = await startFunction("restore", {
      ...restoreEnvironment(server, database, volume.path),
      ...as,
    });
    return {
      restore: (body: object) => restore.post({ filename: "latest", strategy: "in-place", ...body }),
      query: async (text: string) => (await server.query(database, text)).rows as unknown[],
      async [Symbol.asyncDispose]() {
        await restore[Symbol.asyncDispose]();
        await volume[Symbol.asyncDispose]();
        const kept = `SELECT datname AS name FROM pg_database WHERE starts_with(datname, '${database}')`;
        for (const { name } of (await server.query("postgres", kept)).rows as { name: string }[])
          await server.dropDatabase(name);
      },
    };
  }

  for (const [what, [taken, back]] of Object.entries(TAKEN))
    it(`in place counts what it has taken from itself, and leaves that as it was: ${what}`, async () => {
      await using stage = await backedUp(taken);
      const rights = await stage.query(RIGHTS);
      await stage.query(`${back}; DELETE FROM s.t`);

      const answer = await stage.restore({});

      assert.equal(answer.status, 200, await answer.text());
      assert.deepEqual(await stage.query("SELECT count(*)::int FROM s.t"), [{ count: 9 }]);
      assert.deepEqual(await stage.query(RIGHTS), rights);
    });

  it("is rehearsed, but for the values of a sequence that it may not read", async () => {
    await using stage = await backedUp(
      `CREATE TABLE s.n (a serial); INSERT INTO s.n DEFAULT VALUES; REVOKE ALL ON SEQUENCE s.n_a_seq FROM ${OWNER}`,
    );

    const answer = await stage.restore({ strategy: undefined, into: "scratch" });

    const { compared } = JSON.parse(await answer.text()) as RestoreResult;
    assert.deepEqual(compared, { tables: 2, rows: 10, by: "counts", onlyCounted: ["sequences"] });
  });

  for (const [what, sql] of Object.entries(WITHOUT_BLOCKS))
    it(`is refused in place where the live database has no language to do it in: ${what}`, async () => {
      await using stage = await backedUp("");
      await stage.query(sql);

      const { blockers } = (await (await stage.restore({ dryRun: true })).json()) as RestorePlan;

      assert.deepEqual(
        blockers.map(({ kind }) => kind),
        ["language-missing"],
      );
      assert.match(blockers[0]?.remedy ?? "", /GRANT USAGE ON LANGUAGE plpgsql TO "own_rights_/);
    });
});
