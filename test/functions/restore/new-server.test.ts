import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import { backupEnvironment, manifestOf, startFunction } from "../../support/function-process.ts";
import { databaseOfManyRoles, PASSWORD, type ManyRoles } from "../../support/many-roles.ts";
import { sharedServer, startPostgres, type OwnServer, type TestServer } from "../../support/postgres.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

describe("a new server on which nothing is", () => {
  let server: TestServer;
  let empty: OwnServer;
  let many: ManyRoles;
  let volume: Removed;
  let manifest: BackupManifest;
  let original: unknown;

  before(async () => {
    server = await sharedServer();
    empty = await startPostgres();
    many = await databaseOfManyRoles(server);
    volume = await temporaryFolder();
    await using backup = await startFunction("backup", backupEnvironment(server, many.database, volume.path));
    manifest = await manifestOf(await backup.post());
    original = await many.lookAt(server, many.database);
  });

  after(async () => {
    await many[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
    await empty[Symbol.asyncDispose]();
  });

  it("has all by the one command of the manifest, and once more where the roles are", async () => {
    const { host, port, user, password, binDir } = empty;
    const login = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password };
    const env = { PATH: `${binDir}:${process.env["PATH"]}`, ...login };
    const byHand = () => execa("sh", ["-c", manifest.restoreByHand], { cwd: volume.path, env });

    await byHand();

    const restored = `${many.database}_restored`;
    assert.deepEqual(await many.lookAt(empty, restored), original);
    const text = await readFile(join(volume.path, `${manifest.name}.json`), "utf8");
    assert.ok(!text.includes(PASSWORD) && !/SCRAM-SHA|md5[0-9a-f]{32}/.test(text));

    // A role that is there stays as it is, whatever the manifest says of it.
    await empty.query("postgres", `ALTER ROLE "${many.owner}" NOCREATEDB LOGIN`);
    await empty.dropDatabase(restored);
    await byHand();
    const { rows } = await empty.query(
      "postgres",
      "SELECT rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = $1",
      [many.owner],
    );
    assert.deepEqual(rows, [{ rolcreatedb: false, rolcanlogin: true }]);
  });
});
