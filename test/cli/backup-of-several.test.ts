import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { backupEnvironment, startFunction, type FunctionProcess } from "../support/function-process.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";
import { dormouse } from "../support/program.ts";
import { temporaryFolder } from "../support/volume.ts";

type Answered = { readonly databases: readonly { readonly database: string; readonly problem?: unknown }[] };

describe("dormouse backup, of several databases", () => {
  const prefix = `cli_${randomUUID().slice(0, 8)}`;
  const [one, two, missing] = [`${prefix}_1`, `${prefix}_2`, `${prefix}_3`];
  let server: TestServer;
  let backup: FunctionProcess;
  let volume: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    server = await sharedServer();
    volume = await temporaryFolder();
    for (const database of [one, two]) {
      await server.createDatabase(database);
      await server.query(database, "CREATE TABLE t AS SELECT 1 AS a");
    }
    const { POSTGRESQL_DATABASE: _, ...environment } = backupEnvironment(server, "", volume.path);
    const databases = [one, two, missing].join();
    backup = await startFunction("backup", { ...environment, POSTGRESQL_DATABASES: databases });
  });
  after(async () => {
    await backup[Symbol.asyncDispose]();
    for (const database of [one, two]) await server.dropDatabase(database);
    await volume[Symbol.asyncDispose]();
  });

  const ask = (...args: string[]) => dormouse(["backup", ...args, "--url", `backup=${backup.url}`]);

  it("shows what became of each, and exits with 1 where one has failed", async () => {
    const { code, stdout } = await ask();

    assert.equal(code, 1, stdout);
    for (const database of [one, two])
      assert.match(stdout, new RegExp(`/${database}.*: .*1 row in 1 table, proved by reading it to its end`));
    assert.match(stdout, new RegExp(`^${missing}: no backup: .* \\(database_not_found\\)$`, "m"));
    assert.match(stdout, /^1 of 3 databases could not be backed up$/m);
  });

  it("says the same as JSON, with the same exit code", async () => {
    const { code, stdout } = await ask("--json");

    const { databases } = JSON.parse(stdout) as Answered;
    assert.equal(code, 1);
    assert.deepEqual(
      databases.filter(({ problem }) => problem !== undefined).map(({ database }) => database),
      [missing],
    );
  });

  it("takes that of one that is named", async () => {
    const { code, stdout } = await ask("--database", two);

    assert.equal(code, 0, stdout);
    assert.match(stdout, new RegExp(`^\\S*/${two}.*proved by reading it to its end`));
    assert.equal(stdout.trim().split("\n").length, 1);
  });
});
