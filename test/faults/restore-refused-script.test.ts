import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { setRefusingStage, type RefusingStage } from "../support/refusing-stage.ts";

describe("a restore of a file of the old pod that cannot or must not be loaded", () => {
  let stood: RefusingStage;
  before(async () => void (stood = await setRefusingStage()));
  after(() => stood[Symbol.asyncDispose]());

  const trailer = "\n--\n-- PostgreSQL database dump complete\n--\n";
  const scripts: readonly (readonly [string, string, string, RegExp])[] = [
    [
      "a key is violated",
      "CREATE TABLE a (b int PRIMARY KEY);\nCOPY a (b) FROM stdin;\n1\n1\n\\.\n",
      "restore_failed",
      /duplicate key value violates/,
    ],
    [
      "rows vanish again",
      "CREATE TABLE a (b int);\nCOPY a (b) FROM stdin;\n1\n2\n\\.\nDELETE FROM a WHERE b = 1;\n",
      "rows_differ",
      /a has 1 rows instead of 2/,
    ],
    [
      "a script asks for the shell",
      "SELECT 1;\n\\! touch /tmp/never\n",
      "archive_damaged",
      /holds commands that psql would run: \\! touch/,
    ],
    [
      "a script hides a command in the body of a function",
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;\nCOPY x FROM stdin;\n\\! touch :path\n\\.\n",
      "restore_failed",
      /backslash commands are restricted/,
    ],
    [
      "a script hides a command by how strings are read",
      "SET standard_conforming_strings = off;\nSELECT 'a\\'' \\! touch :path\n', 'b';\n",
      "restore_failed",
      /backslash commands are restricted/,
    ],
    [
      "a role is missing that only a function names",
      "DO $$ BEGIN CREATE TABLE a (b int); ALTER TABLE a OWNER TO nobody_here; END $$;\n",
      "restore_failed",
      /role "nobody_here" does not exist/,
    ],
  ];
  for (const [what, script, code, detail] of scripts)
    it(`is taken back when ${what}`, async (test) => {
      if (script.includes("BEGIN ATOMIC") && stood.stage.server.major < 14)
        return test.skip("functions have no such body before 14");
      const witness = join(stood.stage.path, "witness");
      const name = `2020-01-01/${stood.stage.database}2020-01-01-00-00.bak`;
      await mkdir(join(stood.stage.path, "2020-01-01"), { recursive: true });
      await writeFile(join(stood.stage.path, name), gzipSync(script.replaceAll(":path", witness) + trailer));

      const problem = await stood.refusal(stood.restore.post({ filename: name }));

      assert.equal(problem.code, code, problem.detail);
      assert.match(problem.detail, detail);
      await assert.rejects(readFile(witness), { code: "ENOENT" });
    });

  const unmet: readonly (readonly [string, string, RegExp])[] = [
    [
      "roles",
      'ALTER TABLE a OWNER TO nobody_here;\nGRANT ALL ON a TO "No ""One"""; GRANT ALL ON a TO postgres;\n',
      /roles that own or may use .*: No "One", nobody_here$/,
    ],
    [
      "an extension",
      'CREATE EXTENSION IF NOT EXISTS plpgsql; CREATE EXTENSION IF NOT EXISTS "no-such" WITH SCHEMA public;\n',
      /extensions that this server does not have: no-such$/,
    ],
    ["a tablespace", "SET default_tablespace = fast;\n", /tablespaces .*: fast$/],
  ];
  for (const [what, statements, detail] of unmet)
    it(`is refused before it loads when a script names ${what} that the server has not`, async () => {
      const name = `2020-01-01/${stood.stage.database}2020-01-01-00-00.bak`;
      await mkdir(join(stood.stage.path, "2020-01-01"), { recursive: true });
      await writeFile(
        join(stood.stage.path, name),
        gzipSync(`SELECT 1 / 0;\nCREATE TABLE a (b int);\n${statements}${trailer}`),
      );

      for (const into of [undefined, "scratch", `${stood.stage.database}_beside`]) {
        const problem = await stood.refusal(stood.restore.post({ filename: name, into }));

        assert.deepEqual([problem.status, problem.code], [422, "restore_blocked"], problem.detail);
        assert.match(problem.detail, detail);
        assert.notEqual(problem.hint, "");
      }
    });

  it("is refused when a small file grows without end", async () => {
    const name = `2020-01-01/${stood.stage.database}2020-01-01-00-00.bak`;
    await mkdir(join(stood.stage.path, "2020-01-01"), { recursive: true });
    const beginning = Buffer.from("--\n-- PostgreSQL database dump\n--\n\n");
    const text = Buffer.concat([beginning, Buffer.alloc(200 << 20, "-")]);
    await writeFile(join(stood.stage.path, name), gzipSync(text));

    const problem = await stood.refusal(stood.restore.post({ filename: name }));

    assert.equal(problem.code, "archive_damaged");
    assert.match(problem.detail, /grows beyond 200 times its size/);
  });
});
