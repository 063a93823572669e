import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { CullPlacesReport } from "../../functions/cull/cull-places.ts";
import type { RestoreOverview } from "../../functions/restore/show-restores.ts";
import { cull, cullEnvironment } from "../support/culled.ts";
import { preload, problemIn } from "../support/faulty.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../support/function-process.ts";
import { sharedServer, startPostgres, type OwnServer, type TestServer } from "../support/postgres.ts";
import { askPlan } from "../support/restore-plan.ts";
import {
  embeddedStore,
  makeBucket,
  mirrorEnvironment,
  type OwnStore,
  type TestBucket,
} from "../support/s3.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";

type Place = {
  readonly server: TestServer;
  readonly namespace: string;
  readonly volume: Removed;
  readonly clockMs: number;
};

/** Production and development have a database of one name, and were given one bucket and one prefix. */
describe("two installations with one prefix", () => {
  let servers: readonly [TestServer, OwnServer];
  let database: string;
  let store: OwnStore;
  let bucket: TestBucket;
  let production: Place;
  let development: Place;
  let ofProduction: readonly BackupManifest[];
  let ofDevelopment: readonly BackupManifest[];
  const volumes: Removed[] = [];

  const newVolume = async () => {
    const volume = await temporaryFolder();
    volumes.push(volume);
    return volume;
  };
  const environmentOf = ({ namespace, volume, clockMs }: Place) => ({
    ...mirrorEnvironment(bucket),
    ...preload("clock-preload.ts"),
    DORMOUSE_TEST_CLOCK_OFFSET_MS: `${clockMs}`,
    BACKUP_DIR: volume.path,
    POD_NAMESPACE: namespace,
  });

  async function takeBackups(place: Place, count: number): Promise<BackupManifest[]> {
    const environment = backupEnvironment(place.server, database, place.volume.path);
    await using backup = await startFunction("backup", { ...environment, ...environmentOf(place) });
    const taken: BackupManifest[] = [];
    for (let each = 0; each < count; each++) taken.push(await manifestOf(await backup.post()));
    assert.deepEqual(
      backup.lines.filter(({ message }) => message === "mirror failed"),
      [],
    );
    return taken;
  }

  const startRestore = (place: Place) =>
    startFunction("restore", {
      ...restoreEnvironment(place.server, database, place.volume.path),
      ...environmentOf(place),
    });

  async function cullOf(place: Place): Promise<CullPlacesReport> {
    const environment = cullEnvironment(place.volume.path, { ...environmentOf(place), NUM_BACKUPS: "1" });
    await using culler = await startFunction("cull", environment);
    return await cull(culler);
  }

  before(async () => {
    [store, ...servers] = await Promise.all([embeddedStore(), sharedServer(), startPostgres()]);
    bucket = await makeBucket(store, { prefix: "hets" });
    database = await servers[0].createDatabase();
    await servers[1].createDatabase(database);
    const [prod, dev] = servers;
    await prod.query(database, "CREATE TABLE t AS SELECT 'production' AS a");
    await dev.query(database, "CREATE TABLE t AS SELECT 'development' AS a");
    production = { server: prod, namespace: "hets-prod", volume: await newVolume(), clockMs: 0 };
    development = { server: dev, namespace: "hets-dev", volume: await newVolume(), clockMs: -600_000 };
    ofProduction = await takeBackups(production, 2);
    ofDevelopment = await takeBackups(development, 3);
  });
  after(async () => {
    await servers[0].dropDatabase(database);
    await servers[1][Symbol.asyncDispose]();
    await bucket[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    for (const { path } of volumes) await rm(path, { recursive: true, force: true });
  });

  it("count each for itself, and name whose each backup is", () => {
    assert.deepEqual(
      [ofProduction, ofDevelopment].map((taken) => taken.map(({ sequence }) => sequence)),
      [
        [1, 2],
        [1, 2, 3],
      ],
    );
    const [prod, dev] = [ofProduction[0]?.origin, ofDevelopment[0]?.origin];
    assert.deepEqual([prod?.namespace, dev?.namespace], ["hets-prod", "hets-dev"]);
    assert.match(prod?.system ?? "", /^\d{10,}$/);
    assert.notEqual(prod?.system, dev?.system);
  });

  it("restore each its own latest, also to a new volume, and say whose the others are", async () => {
    const volume = await newVolume();
    await using restore = await startRestore({ ...production, volume });

    const plan = await askPlan(restore, { filename: "latest" });
    const { backups } = (await (await restore.get("/")).json()) as RestoreOverview;

    assert.equal(plan.backup?.name, ofProduction[1]?.name);
    assert.deepEqual(plan.blockers, []);
    const marked = backups.filter(({ elsewhere }) => elsewhere !== undefined);
    assert.deepEqual(
      marked.map(({ name }) => name).toSorted(),
      ofDevelopment.map(({ name }) => name).toSorted(),
    );
    assert.match(marked[0]?.elsewhere ?? "", /namespace hets-dev/);
  });

  it("refuse the other's backup for every strategy unless that is said", async () => {
    await using restore = await startRestore(production);
    const filename = ofDevelopment[2]?.name;
    for (const strategy of [{}, { strategy: "in-place" }, { into: "scratch" }, { into: "beside" }]) {
      const refused = await problemIn(await restore.post({ filename, ...strategy }));
      const plan = await askPlan(restore, { filename, ...strategy, fromElsewhere: true });

      assert.equal(refused["code"], "restore_blocked");
      assert.match(String(refused["detail"]), /namespace hets-dev/);
      assert.match(String(refused["hint"]), /"fromElsewhere": true/);
      assert.deepEqual(plan.blockers, []);
      assert.match(plan.warnings.join(), /comes from elsewhere: namespace hets-dev/);
    }
    const { rows } = await production.server.query(database, "SELECT a FROM t");
    assert.deepEqual(rows, [{ a: "production" }]);
  });

  it("cull each its own and not one object of the other", async () => {
    const before = await bucket.keys();

    const report = await cullOf(development);

    const keys = await bucket.keys();
    const gone = before.filter((key) => !keys.includes(key)).toSorted();
    assert.deepEqual(
      gone,
      ofDevelopment
        .slice(0, 2)
        .flatMap(({ name }) => [`hets/${name}`, `hets/${name}.json`])
        .toSorted(),
    );
    assert.ok(report.bucket !== undefined && "elsewhere" in report.bucket);
    assert.equal(report.bucket.elsewhere[0]?.backups, 2);
    assert.match(report.bucket.elsewhere[0]?.origin ?? "", /hets-prod/);
  });

  it("leave all to each other where one of them is a copy of the other's volume", async () => {
    const before = await bucket.keys();

    const report = await cullOf({ ...production, namespace: "hets-test" });

    assert.deepEqual(await bucket.keys(), before);
    assert.deepEqual(report.removed, []);
  });

  it("are each restored on a new server, by name and by the one flag", async () => {
    const [, server] = servers;
    const place = { server, namespace: "hets-new", volume: await newVolume(), clockMs: 0 };
    await using restore = await startRestore(place);

    const unclear = await problemIn(await restore.post({ filename: "latest" }));
    const filename = ofProduction[1]?.name;
    const refused = await problemIn(await restore.post({ filename }));
    const answer = await restore.post({ filename, fromElsewhere: true });

    assert.equal(unclear["code"], "request_invalid");
    assert.match(String(unclear["detail"]), /hets-prod.*hets-dev|hets-dev.*hets-prod/);
    assert.equal(refused["code"], "restore_blocked");
    assert.equal(answer.status, 200, await answer.clone().text());
    const { rows } = await server.query(database, "SELECT a FROM t");
    assert.deepEqual(rows, [{ a: "production" }]);
  });

  it("stay one installation when its server was made anew", async () => {
    const place = { ...production, server: servers[1] };
    await using restore = await startRestore(place);

    const plan = await askPlan(restore, { filename: "latest" });
    const [next] = await takeBackups(place, 1);

    assert.deepEqual([plan.backup?.name, plan.blockers], [ofProduction[1]?.name, []]);
    assert.equal(next?.sequence, 3);
    assert.deepEqual(next?.origin?.formerly, [ofProduction[0]?.origin?.system]);
    const report = await cullOf(place);
    assert.deepEqual(
      report.removed.map(({ name }) => name),
      ofProduction.map(({ name }) => name),
    );
  });
});
