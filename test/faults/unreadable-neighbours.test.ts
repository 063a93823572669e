import assert from "node:assert/strict";
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import { cullEnvironment, toReport } from "../support/culled.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { whyNoOtherUsers } from "../support/other-users.ts";
import { temporaryFolder } from "../support/volume.ts";

/** No count of backups comes as far as the seconds since 1970. */
const SECONDS_OF_2020 = 1_577_836_800;
const NOBODY = { uid: 65_534, gid: 65_534 };

describe("functions beside what another user keeps to itself", async () => {
  const skip = (await whyNoOtherUsers(NOBODY)) ?? false;

  it("back up, rehearse, cull and list", { skip }, async () => {
    const server = await sharedServer();
    const database = await server.createDatabase();
    await using volume = await temporaryFolder();
    const { path } = volume;
    await chown(path, NOBODY.uid, NOBODY.gid);
    const environment = backupEnvironment(server, database, path);
    await using backup = await startFunction("backup", environment, NOBODY);
    await using cull = await startFunction("cull", cullEnvironment(path), NOBODY);
    await using restore = await startFunction("restore", restoreEnvironment(server, database, path), NOBODY);

    const first = await manifestOf(await backup.post());
    await mkdir(join(path, "2019-03-19"), { mode: 0o755 });
    await writeFile(join(path, "2019-03-19/hets2019-03-19-01-00.bak"), "old", { mode: 0o600 });
    await mkdir(join(path, "2018-01-01"), { mode: 0o700 });
    const beside = await manifestOf(await backup.post());
    const rehearsed = await restore.post({ filename: "latest", into: "scratch" });
    const culled = await toReport(cull.post());
    const { backups, foreign } = (await (await restore.get("/")).json()) as CatalogListing;
    await server.dropDatabase(database);

    assert.equal(rehearsed.status, 200, await rehearsed.text());
    assert.deepEqual([culled.refused, culled.kept, culled.foreignEntries], [[], 2, 2]);
    assert.equal(beside.sequence, 2);
    assert.deepEqual(
      backups.map(({ name }) => name),
      [beside.name, first.name],
    );
    assert.deepEqual([...new Set(foreign.map(({ reason }) => reason))], ["unreadable"]);
  });

  it("number a backup beyond each that may be hidden, and go on from there", { skip }, async () => {
    const server = await sharedServer();
    const database = await server.createDatabase();
    await using volume = await temporaryFolder();
    await chown(volume.path, NOBODY.uid, NOBODY.gid);
    await using backup = await startFunction(
      "backup",
      backupEnvironment(server, database, volume.path),
      NOBODY,
    );
    const sequence = async () => (await manifestOf(await backup.post())).sequence;
    const hidden = join(volume.path, "2999-01-01");

    const counted = [await sequence()];
    await mkdir(hidden, { mode: 0o700 });
    const [beyond, next] = [await sequence(), await sequence()];
    await rm(hidden, { recursive: true });
    counted.push((await sequence()) - next);
    await server.dropDatabase(database);

    assert.deepEqual(counted, [1, 1]);
    assert.ok(beyond > SECONDS_OF_2020 && next > beyond, `${beyond}, ${next}`);
  });
});
