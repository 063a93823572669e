import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
  type FunctionProcess,
} from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { fingerprintOf } from "../../support/sample-database.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

/** The stems of `english`, which the server has by itself, are others. */
const CONTENT = `
CREATE TABLE note (id int PRIMARY KEY, body text, words text, CHECK (words = to_tsvector(body)::text));
INSERT INTO note SELECT n, 'the houses of ' || n, to_tsvector('the houses of ' || n)::text FROM generate_series(1, 50) n;
REVOKE INSERT ON note FROM CURRENT_USER;
CREATE MATERIALIZED VIEW found AS SELECT id, to_tsvector(body)::text AS words FROM note;`;

describe("a database that searches by a configuration of its own", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let restore: FunctionProcess;
  let original: Record<string, string>;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    volume = await temporaryFolder();
    await server.query(database, "CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple)");
    const name = pg.escapeIdentifier(database);
    const setting = "SET default_text_search_config = 'public.plain'";
    await server.query(database, `ALTER DATABASE ${name} ${setting}`);
    await server.query(database, CONTENT);
    original = await fingerprintOf(server, database);
    await using backup = await startFunction("backup", backupEnvironment(server, database, volume.path));
    await manifestOf(await backup.post());
    restore = await startFunction("restore", restoreEnvironment(server, database, volume.path));
  });

  after(async () => {
    await restore[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
    await server.dropDatabase(database);
  });

  for (const strategy of ["swap", "in-place"])
    it(`finds the same words after a restore: ${strategy}`, async () => {
      const answer = await restore.post({ filename: "latest", strategy });

      assert.equal(answer.status, 200, await answer.text());
      assert.deepEqual(await fingerprintOf(server, database), original);
    });

  it("finds them after it was dropped and made again", async () => {
    await server.dropDatabase(database);

    const answer = await restore.post({ filename: "latest" });

    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(await fingerprintOf(server, database), original);
  });
});
