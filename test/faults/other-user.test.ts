import assert from "node:assert/strict";
import { chmod, chown, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import { cullEnvironment } from "../support/culled.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  spawnFunction,
  startFunction,
} from "../support/function-process.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";
import { whyNoOtherUsers } from "../support/other-users.ts";
import { temporaryFolder } from "../support/volume.ts";

const GROUP = 5000;
const FIRST = { uid: 65_534, gid: GROUP };
const NEXT = { uid: 1_234, gid: GROUP };

/** As storage without fsGroup (NFS) after a move to another namespace: the group is the same, the user is not. */
describe("a pod that has another user of the same group than the one before", async () => {
  const skip = (await whyNoOtherUsers(NEXT)) ?? false;
  let server: TestServer;
  let database: string;
  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    await server.query(database, "CREATE TABLE t AS SELECT 1 AS id");
  });
  after(() => server.dropDatabase(database));

  async function volumeOfFirst() {
    const volume = await temporaryFolder();
    await chown(volume.path, FIRST.uid, GROUP);
    await chmod(volume.path, 0o2775);
    const environment = backupEnvironment(server, database, volume.path);
    await using backup = await startFunction("backup", environment, FIRST);
    const first = await manifestOf(await backup.post());
    return { ...volume, environment, first };
  }

  it("goes on: it backs up, culls, marks and restores what the other one wrote", { skip }, async () => {
    await using volume = await volumeOfFirst();
    const { environment, first, path } = volume;
    await using backup = await startFunction("backup", environment, NEXT);
    await using cull = await startFunction(
      "cull",
      cullEnvironment(path, { NUM_BACKUPS: "1", KEEP_DAILY: "0" }),
      NEXT,
    );
    await using restore = await startFunction("restore", restoreEnvironment(server, database, path), NEXT);

    const loaded = await restore.post({ filename: first.name, into: `${database}_2` });
    await server.dropDatabase(`${database}_2`);
    const pinned = await cull.post({ pin: first.name, reason: "a while" });
    const unpinned = await cull.post({ unpin: first.name });
    const second = await manifestOf(await backup.post());
    const culled = await cull.post({});

    const answers = [loaded, pinned, unpinned, culled];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200],
      (await Promise.all(answers.map((answer) => answer.text()))).join(),
    );
    const { backups } = (await (await restore.get("/")).json()) as CatalogListing;
    assert.deepEqual(
      backups.map(({ name }) => name),
      [second.name],
    );
  });

  it("gets path, owner and command if an older version made the folder for itself", { skip }, async () => {
    await using volume = await volumeOfFirst();
    const runs = join(volume.path, ".dormouse", "runs");
    await chmod(runs, 0o700);
    await using backup = spawnFunction("backup", volume.environment, NEXT);

    const line = await backup.logged("start-up failed");

    assert.equal(line["code"], "configuration_invalid");
    assert.ok(
      String(line["error"]).includes(
        `${runs} belongs to 65534:5000 with mode 0700, and this process is 1234:`,
      ),
    );
    assert.match(String(line["hint"]), /chmod -R g\+rwX/);
    await using owner = await startFunction("backup", volume.environment, FIRST);
    assert.equal((await stat(runs)).mode & 0o777, 0o770);
    await owner.end("SIGTERM");
  });

  it("gets the name of the record that it may not read, and what to do", { skip }, async () => {
    await using volume = await volumeOfFirst();
    const runs = join(volume.path, ".dormouse", "runs");
    for (const name of await readdir(runs)) await chmod(join(runs, name), 0o600);
    await using cull = await startFunction("cull", cullEnvironment(volume.path), NEXT);

    const problem = (await (await cull.post({})).json()) as Readonly<Record<string, string>>;

    assert.equal(problem["code"], "catalog_unreadable");
    assert.match(problem["detail"] ?? "", /record of run backup-\w+ cannot be read: EACCES.*\.json/);
    assert.match(problem["hint"] ?? "", /chmod -R g\+rwX/);
  });
});
