import assert from "node:assert/strict";
import { describe, it } from "node:test";
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
        `CREATE TABLE "${word}" (a text); INSERT INTO "${word}" VALUES ('${word}'); COMMENT ON DATABASE ${name} IS '${word}'`,
      );
      const kept = async () => [
        (await server.query("postgres", COMMENT, [name])).rows,
        (await server.query(name, `SELECT a FROM "${word}"`)).rows,
      ];
      const original = await kept();
      await using volume = await temporaryFolder();
      await using backup = await startFunction("backup", backupEnvironment(server, name, volume.path));
      const { properties } = await manifestOf(await backup.post());
      await using restore = await startFunction("restore", restoreEnvironment(server, name, volume.path));

      assert.equal(properties?.comment, word);
      for (const strategy of ["swap", "in-place"]) {
        const answer = await restore.post({ filename: "latest", strategy });
        assert.equal(answer.status, 200, await answer.text());
        assert.deepEqual(await kept(), original, strategy);
      }
      const found = "SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)";
      const { rows } = await server.query("postgres", found, [name]);
      for (const each of rows as { name: string }[]) await server.dropDatabase(each.name);
    });
});
