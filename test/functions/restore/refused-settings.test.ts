import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { fingerprintOf } from "../../support/sample-database.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

/** As after a change of the server's image or release: ALTER DATABASE would refuse them, and sessions only warn. */
const OF_OLD = ["TimeZone=Atlantis/Center", "lc_monetary=tlh_QO.utf8", "a_setting_of_old=on", "work_mem=8MB"];

describe("a database with settings that its server does not take any more", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    volume = await temporaryFolder();
    await server.query(
      database,
      "CREATE TABLE visit (at timestamptz, day date, CHECK (day = at::date)); INSERT INTO visit SELECT now(), now()::date",
    );
    await server.query(
      database,
      "INSERT INTO pg_db_role_setting SELECT oid, 0, $1 FROM pg_database WHERE datname = current_database()",
      [OF_OLD],
    );
  });

  after(async () => {
    await volume[Symbol.asyncDispose]();
    await server.dropDatabase(database);
  });

  it("is backed up as its sessions see it, restored without them, and each is named", async () => {
    const original = await fingerprintOf(server, database);
    await using backup = await startFunction("backup", backupEnvironment(server, database, volume.path));

    const { warnings, properties, settings } = await manifestOf(await backup.post());
    await using restore = await startFunction("restore", restoreEnvironment(server, database, volume.path));
    const planned = await restore.post({ filename: "latest", dryRun: true });
    const plan = (await planned.json()) as { readonly warnings: string[]; readonly blockers: unknown[] };
    const answer = await restore.post({ filename: "latest" });

    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(plan.blockers, []);
    for (const refused of [
      "TimeZone = Atlantis/Center",
      "lc_monetary = tlh_QO.utf8",
      "a_setting_of_old = on",
    ]) {
      assert.ok(warnings.some((text) => text.includes(refused)));
      assert.ok(plan.warnings.some((text) => text.includes(refused)));
    }
    assert.deepEqual(properties?.settings, [{ name: "work_mem", value: "8MB" }]);
    assert.notEqual(settings?.["TimeZone"], "Atlantis/Center");
    assert.deepEqual(await fingerprintOf(server, database), original);
    const kept = await server.query(database, "SHOW work_mem");
    assert.deepEqual(kept.rows, [{ work_mem: "8MB" }]);
  });
});
