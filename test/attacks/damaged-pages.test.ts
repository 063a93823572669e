import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { backupEnvironment, manifestOf, startFunction } from "../support/function-process.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";
import { temporaryFolder } from "../support/volume.ts";

const READER = `damaged_reader_${process.pid}`;

/** As an operator leaves it behind who has rescued what was left. */
describe("a database with damaged pages, set to read them as empty", () => {
  let server: TestServer;
  let whole: string;
  let damaged: string;

  before(async () => {
    server = await sharedServer();
    whole = await server.createDatabase();
    damaged = `${whole}_damaged`;
    await server.query(whole, "CREATE TABLE person AS SELECT generate_series(1, 100) AS id");
    // The new one's pages are on disk, and none of them in the server's memory.
    const strategy = server.major >= 15 ? "STRATEGY file_copy" : "";
    await server.query("postgres", `CREATE DATABASE ${damaged} TEMPLATE ${whole} ${strategy}`);
    const { rows } = await server.query(damaged, "SELECT pg_relation_filepath('person') AS path");
    const { path } = rows[0] as { path: string };
    await server.query(whole, "SELECT lo_from_bytea(4711, decode(repeat('ff', 8192), 'hex'))");
    await server.query(whole, `SELECT lo_export(4711, '${path}')`);
    await server.query(
      "postgres",
      `ALTER DATABASE ${damaged} SET zero_damaged_pages = on;
       ALTER DATABASE ${damaged} SET ignore_checksum_failure = on;
       CREATE ROLE ${READER} LOGIN PASSWORD 'x'`,
    );
    await server.query(damaged, `GRANT SELECT ON person TO ${READER}`);
  });
  after(async () => {
    for (const database of [damaged, whole]) await server.dropDatabase(database);
    await server.query("postgres", `DROP ROLE ${READER}`);
  });

  // The first to read: what one session has read as empty is so for all.
  it("fails the backup, which would lack those rows without a word", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction("backup", backupEnvironment(server, damaged, volume.path));

    const answer = await backup.post();

    assert.equal(answer.status, 500);
    assert.match(await answer.text(), /invalid page in block 0 of relation/);
  });

  it("is named by a backup whose role may not set it otherwise", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction("backup", {
      ...backupEnvironment(server, damaged, volume.path),
      POSTGRESQL_USER: READER,
      POSTGRESQL_PASSWORD: "x",
    });

    const { warnings } = await manifestOf(await backup.post());

    for (const name of ["ignore_checksum_failure", "zero_damaged_pages"])
      assert.ok(warnings.some((text) => text.startsWith(`${name} is on`)));
  });
});
