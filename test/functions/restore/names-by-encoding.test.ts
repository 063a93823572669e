import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RestoreResult } from "../../../functions/restore/journal/restore-result.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { sharedServer, startPostgres, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { temporaryFolder } from "../../support/volume.ts";

/** By the bytes of a name: of Latin-1 in a database that takes any, of what no decoder here knows, and a text that reads like the octal of one. */
const KINDS = [
  { encoding: "SQL_ASCII", bytes: Buffer.from("größe", "latin1"), noted: "gr\\366\\337e" },
  { encoding: "EUC_TW", bytes: Buffer.from("c4e3c5c6", "hex"), noted: "\\304\\343\\305\\306" },
  { encoding: "UTF8", bytes: Buffer.from("größe\\366"), noted: "gr\\303\\266\\303\\237e\\134366" },
];

/** All that a name can be of: what a backup looks at, counts, analyzes and compares. */
const make = (
  bytes: Buffer,
) => `DO $$ DECLARE n text := convert_from('\\x${bytes.toString("hex")}', getdatabaseencoding()); BEGIN
  EXECUTE format('CREATE SCHEMA %1$I; CREATE TYPE %1$I.%1$I AS ENUM (''a''); CREATE SEQUENCE %1$I.s', n);
  EXECUTE format('CREATE TABLE %1$I.t (%1$I text, a int) PARTITION BY RANGE (a)', n);
  EXECUTE format('CREATE TABLE %1$I."%1$s 1" PARTITION OF %1$I.t FOR VALUES FROM (0) TO (10)', n);
  EXECUTE format('INSERT INTO %1$I.t SELECT %2$L, a FROM generate_series(1, 3) a', n, n);
  EXECUTE format('CREATE TABLE %1$I."größe" AS SELECT %2$L::text AS %1$I FROM generate_series(1, 5)', n, n);
  EXECUTE format('ALTER TABLE %1$I."größe" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', n);
  EXECUTE format('CREATE UNLOGGED TABLE %1$I.u (a int)', n);
  EXECUTE format('CREATE FOREIGN DATA WRAPPER %1$I; CREATE SERVER %1$I FOREIGN DATA WRAPPER %1$I', n);
  EXECUTE format('CREATE FOREIGN TABLE %1$I.f (a int) SERVER %1$I', n);
  EXECUTE format('CREATE MATERIALIZED VIEW %1$I.m AS SELECT * FROM %1$I.t', n);
  EXECUTE format('CREATE VIEW public.seen (contents, small, filled) AS SELECT (SELECT md5(string_agg(t::text, '','' ORDER BY a)) FROM %1$I.t),
    (SELECT count(*)::int FROM %1$I."größe"), (SELECT count(*)::int FROM %1$I.m)', n);
END $$`;

describe("a name that is no text", () => {
  async function databases(server: TestServer, name: string): Promise<string[]> {
    const sql = "SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)";
    return ((await server.query("postgres", sql, [name])).rows as { name: string }[]).map((row) => row.name);
  }

  for (const { encoding, bytes, noted } of KINDS)
    it(`is counted, compared and restored in a database in ${encoding}`, async () => {
      const server = await sharedServer();
      const name = `names_${process.pid}_${encoding.toLowerCase()}`;
      const options = `TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`;
      await server.query("postgres", `CREATE DATABASE ${name} ${options}`);
      const latin = (text: string) => (encoding === "EUC_TW" ? text.replaceAll("größe", "g") : text);
      await server.query(name, latin(make(bytes)));
      const seen = async (database = name) =>
        (await server.query(database, "SELECT * FROM public.seen")).rows;
      const original = await seen();
      await using volume = await temporaryFolder();
      await using backup = await startFunction("backup", backupEnvironment(server, name, volume.path));
      const { content } = await manifestOf(await backup.post());
      await using restore = await startFunction("restore", restoreEnvironment(server, name, volume.path));
      const restored = async (body: object) => {
        const answer = await restore.post({ filename: "latest", ...body });
        const text = await answer.text();
        assert.equal(answer.status, 200, text);
        return JSON.parse(text) as RestoreResult & { run: string };
      };

      assert.deepEqual(
        new Map(
          content.tables
            .filter(({ rows }) => rows > 0)
            .map((each) => [`${each.schema} ${each.name}`, each.rows]),
        ),
        new Map([
          [`${noted} ${latin("größe")}`, 5],
          [`${noted} ${noted} 1`, 3],
        ]),
      );
      assert.equal((await restored({ into: "scratch" })).compared?.by, "values");
      await restored({ into: `${name}_beside` });
      assert.deepEqual(await seen(`${name}_beside`), original);
      const { run } = await restored({});
      assert.deepEqual(await seen(), original, "swapped");
      await restored({ filename: undefined, undo: run });
      await restored({ strategy: "in-place" });
      assert.deepEqual(await seen(), original, "in place");
      for (const each of await databases(server, name)) await server.dropDatabase(each);
      await restored({});
      assert.deepEqual(await seen(), original, "made anew");
      for (const each of await databases(server, name)) await server.dropDatabase(each);
    });

  it("of a role stops no backup; of a table's owner no restore, and of the database's is a blocker", async () => {
    // Roles are the whole server's.
    await using server = await startPostgres();
    for (const encoding of ["LATIN1", "SQL_ASCII"]) {
      const name = `owned_${encoding.toLowerCase()}`;
      await server.query(
        "postgres",
        `CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
      );
      const owner = `convert_from('\\x${Buffer.from(`größe ${encoding}`, "latin1").toString("hex")}', getdatabaseencoding())`;
      await server.query(
        name,
        `DO $$ BEGIN EXECUTE format('CREATE ROLE %1$I; CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t OWNER TO %1$I', ${owner}); END $$`,
      );
      await using volume = await temporaryFolder();
      await using backup = await startFunction("backup", backupEnvironment(server, name, volume.path));
      await manifestOf(await backup.post());
      await using restore = await startFunction("restore", restoreEnvironment(server, name, volume.path));
      for (const strategy of ["swap", "in-place"]) {
        const answer = await restore.post({ filename: "latest", strategy });
        assert.equal(answer.status, 200, await answer.text());
        const { rows } = await server.query(
          name,
          `SELECT count(*)::int FROM pg_tables WHERE tablename = 't' AND tableowner = ${owner}`,
        );
        assert.deepEqual(rows, [{ count: 1 }]);
      }
      await server.query(
        name,
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE ${name} OWNER TO %I', ${owner}); END $$`,
      );
      await manifestOf(await backup.post());

      const { blockers, missingRoles } = await askPlan(restore, { filename: "latest", createRoles: true });

      assert.deepEqual(
        [blockers.map(({ kind, names }) => [kind, names.length]), missingRoles],
        [[["roles-unreadable", 1]], []],
      );
    }
  });
});
