import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { temporaryFolder } from "../../support/volume.ts";

const ROLE = `settings_by_encoding_${process.pid}`;

const KINDS = [
  { encoding: "LATIN1", maintenance: "UTF8", value: "größe", strategy: "swap" },
  { encoding: "UTF8", maintenance: "LATIN1", value: "日本", strategy: "swap" },
  { encoding: "EUC_JP", maintenance: "UTF8", value: "日本", strategy: "in-place" },
  { encoding: "LATIN1", maintenance: "UTF8", value: "größe", strategy: "dropped" },
] as const;

describe("settings beyond ASCII of a role that a restore makes", () => {
  let server: TestServer;
  before(async () => {
    server = await sharedServer();
  });
  after(() => server.query("postgres", `DROP ROLE IF EXISTS ${ROLE}`));

  /** As bytes: the catalog has those of the session that gave them. */
  async function settings(): Promise<unknown> {
    const sql = `SELECT encode(textsend(item), 'hex') AS item FROM pg_db_role_setting, unnest(setconfig) item
      WHERE setrole = $1::regrole ORDER BY 1`;
    return (await server.query("postgres", sql, [ROLE])).rows;
  }

  async function makeEmpty(name: string, encoding: string): Promise<void> {
    await server.query(
      "postgres",
      `CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
  }

  for (const kind of KINDS)
    it(`are the bytes that they were: ${Object.values(kind).join(", ")}`, async () => {
      const { encoding, maintenance, value, strategy } = kind;
      const name = `role_settings_${process.pid}_${encoding.toLowerCase()}`;
      const MAINTENANCE_DATABASE = `${name}_maintenance`;
      await makeEmpty(name, encoding);
      await makeEmpty(MAINTENANCE_DATABASE, maintenance);
      await server.query(
        name,
        `CREATE ROLE ${ROLE}; ALTER ROLE ${ROLE} SET app.motto = '${value}'; ALTER ROLE ${ROLE} SET app.plain = 'x';
         CREATE TABLE t AS SELECT 1 AS id; ALTER TABLE t OWNER TO ${ROLE}`,
      );
      const original = await settings();
      await using volume = await temporaryFolder();
      await using backup = await startFunction("backup", {
        ...backupEnvironment(server, name, volume.path),
        MAINTENANCE_DATABASE,
      });
      await manifestOf(await backup.post());
      if (strategy === "dropped") await server.dropDatabase(name);
      else await server.query(name, "DROP TABLE t");
      await server.query("postgres", `DROP ROLE ${ROLE}`);
      await using restore = await startFunction("restore", {
        ...restoreEnvironment(server, name, volume.path),
        MAINTENANCE_DATABASE,
      });

      const answer = await restore.post({
        filename: "latest",
        createRoles: true,
        strategy: strategy === "dropped" ? "swap" : strategy,
      });

      assert.equal(answer.status, 200, await answer.text());
      assert.deepEqual(await settings(), original);
      const sql = "SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)";
      const { rows } = await server.query("postgres", sql, [name]);
      for (const each of rows as { name: string }[]) await server.dropDatabase(each.name);
      await server.query("postgres", `DROP ROLE ${ROLE}`);
    });
});
