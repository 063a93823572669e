import assert from "node:assert/strict";
import { execa } from "execa";
import { after, before, describe, it } from "node:test";
import { backupEnvironment, manifestOf, startFunction } from "../support/function-process.ts";
import { assertWhole, listingOf, preload, setStage } from "../support/faulty.ts";
import { ODD_NAMES } from "../support/odd-names.ts";
import { startPostgres, type OwnServer } from "../support/postgres.ts";
import { readContent, temporaryFolder } from "../support/volume.ts";

describe("a backup of a database with an odd name", () => {
  // Of its own: other files make databases of these names on the shared one.
  let server: OwnServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  for (const name of ODD_NAMES) {
    it(`backs up ${JSON.stringify(name)}, and its command restores it`, async () => {
      await using volume = await temporaryFolder();
      const [database, restored] = [name, `${name.slice(0, 40)}_restored`];
      await server.createDatabase(database);
      await server.query(database, "CREATE TABLE own_name AS SELECT current_database() AS name");
      await using backup = await startFunction("backup", backupEnvironment(server, database, volume.path));

      const manifest = await manifestOf(await backup.post());
      await execa("sh", ["-c", manifest.restoreByHand], {
        cwd: volume.path,
        env: {
          PATH: `${server.binDir}:${process.env["PATH"]}`,
          PGHOST: server.host,
          PGPORT: `${server.port}`,
          PGUSER: server.user,
          PGPASSWORD: server.password,
        },
      });

      const { rows } = await server.query(restored, "SELECT name FROM own_name");
      await server.dropDatabase(restored);
      await server.dropDatabase(database);
      assert.deepEqual(rows, [{ name }]);
      assert.equal((await listingOf(backup)).backups[0]?.database, name);
      assert.deepEqual(Object.keys(await readContent(volume.path)), [manifest.name, `${manifest.name}.json`]);
    });
  }
});

describe("a clock that is set back a day", () => {
  it("keeps the order by sequence, replaces nothing, and says so in the manifest", async () => {
    await using stage = await setStage();
    const dayMs = 86_400_000;
    const late = await stage.start({
      ...preload("clock-preload.ts"),
      DORMOUSE_TEST_CLOCK_OFFSET_MS: `${-dayMs}`,
    });

    const manifest = await manifestOf(await late.post());

    const { backups } = await listingOf(late);
    assert.equal(manifest.name.slice(0, 10), new Date(Date.now() - dayMs).toISOString().slice(0, 10));
    assert.deepEqual(
      backups.map(({ sequence }) => sequence),
      [2, 1],
    );
    assert.equal(backups[0]?.name, manifest.name);
    assert.match(manifest.warnings.join(), /clock was set back/);
    await assertWhole(stage.path, backups);
  });

  it("does not take a backup from its future for a young one, or none would be taken for long", async () => {
    await using stage = await setStage();
    const late = await stage.start({
      ...preload("clock-preload.ts"),
      DORMOUSE_TEST_CLOCK_OFFSET_MS: `${-86_400_000}`,
    });

    await manifestOf(await late.post({ ifOlderThan: "23h" }));
    await manifestOf(await late.post({ ifOlderThan: "23h" }));

    const { backups } = await listingOf(late);
    assert.deepEqual(
      backups.map(({ sequence }) => sequence),
      [2, 1],
    );
  });
});
