import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { execa } from "execa";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { sharedServer } from "../../support/postgres.ts";
import { temporaryFolder } from "../../support/volume.ts";

/** As the server keeps it: bytes that are no UTF-8, which is what the maintenance database has. */
const COMMENT = `SELECT encode(textsend(description), 'escape') AS comment
  FROM pg_shdescription JOIN pg_database d ON d.oid = objoid WHERE datname = $1`;

const KINDS = [
  ["LATIN1", "Größe"],
  ["LATIN10", "ășț"],
  ["EUC_JIS_2004", "日本"],
] as const;

describe("a comment and names of tables beyond ASCII", () => {
  for (const [encoding, word] of KINDS)
    it(`come back in a database in ${encoding}`, async () => {
      const server = await sharedServer();
      const name = `comment_${process.pid}_${encoding.toLowerCase()}`;
      const options = `TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`;
      await server.query("postgres", `CREATE DATABASE ${name} ${options}`);
      await server.query(
        name,
        `CREATE TABLE "${word}" (a text); INSERT INTO "${word}" VALUES ('${word}'); COMMENT ON DATABASE ${name} IS '${word}';
         ALTER DATABASE ${name} SET default_transaction_read_only = on`,
      );
      const kept = async (database = name) => [
        (await server.query("postgres", COMMENT, [database])).rows,
        (await server.query(database, `SELECT a FROM "${word}"`)).rows,
      ];
      const original = await kept();
      await using volume = await temporaryFolder();
      await using backup = await startFunction("backup", backupEnvironment(server, name, volume.path));
      const { properties, restoreByHand } = await manifestOf(await backup.post());
      await using restore = await startFunction("restore", restoreEnvironment(server, name, volume.path));

      assert.equal(properties?.comment, word);
      for (const strategy of ["swap", "in-place"]) {
        const answer = await restore.post({ filename: "latest", strategy });
        assert.equal(answer.status, 200, await answer.text());
        assert.deepEqual(await kept(), original, strategy);
      }
      const { host: PGHOST, port, user: PGUSER, password: PGPASSWORD, binDir } = server;
      const env = { PGHOST, PGPORT: `${port}`, PGUSER, PGPASSWORD, PATH: `${binDir}:${process.env["PATH"]}` };
      await execa("sh", ["-c", restoreByHand], { cwd: volume.path, env });
      assert.deepEqual(await kept(`${name}_restored`), original, "by hand");
      const found = "SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)";
      const { rows } = await server.query("postgres", found, [name]);
      for (const each of rows as { name: string }[]) await server.dropDatabase(each.name);
    });

  for (const [encoding, hex] of [
    ["SQL_ASCII", "6772f6df65"],
    ["EUC_JP", "6772f6"],
  ] as const)
    it(`that are no text of ${encoding} stop nothing, and are reported`, async () => {
      const server = await sharedServer();
      const name = `comment_${process.pid}_none_${encoding.toLowerCase()}`;
      const options = `TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`;
      await server.query("postgres", `CREATE DATABASE ${name} ${options}`);
      const from = `comment_${process.pid}_from`;
      await server.query(
        "postgres",
        `CREATE DATABASE ${from} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`,
      );
      await server.query(
        from,
        `DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE ${name} IS %L', convert_from('\\x${hex}', 'SQL_ASCII')); END $$`,
      );
      await server.query(name, "CREATE TABLE t AS SELECT 1 AS id");
      await using volume = await temporaryFolder();
      await using backup = await startFunction("backup", backupEnvironment(server, name, volume.path));
      const { warnings } = await manifestOf(await backup.post());
      await using restore = await startFunction("restore", restoreEnvironment(server, name, volume.path));

      assert.match(warnings.join("\n"), /the comment of the database/);
      for (const body of [{}, { strategy: "in-place" }, { into: "scratch" }]) {
        const answer = await restore.post({ filename: "latest", ...body });
        assert.equal(answer.status, 200, await answer.text());
      }
      const found = "SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)";
      const { rows } = await server.query("postgres", found, [name]);
      for (const each of rows as { name: string }[]) await server.dropDatabase(each.name);
      await server.dropDatabase(from);
    });
});
