import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { cull, cullEnvironment, daysOf, fillVolume } from "../support/culled.ts";
import { startFunction } from "../support/function-process.ts";
import {
  embeddedStore,
  makeBucket,
  mirrorEnvironment,
  type OwnStore,
  type TestBucket,
} from "../support/s3.ts";
import { pieces, temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;
const ORIGIN = { namespace: "hets", service: "postgresql", system: "7312345678901234567" };
const DATABASES = ["hets", "other"];

describe("a backup that is damaged in the bucket alone", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  /** Four nights of two databases, in both places. */
  async function setUp() {
    const [bucket, volume] = await Promise.all([makeBucket(store), temporaryVolume()]);
    const mirror = bucketCatalog(bucket.settings);
    const backups = [];
    for (const database of DATABASES)
      backups.push(...(await fillVolume(volume.path, 4, () => ({ database, origin: ORIGIN }))));
    for (const backup of backups)
      await mirror.copyIn(backup, async () => pieces(`PGDMP ${backup.name}`), never);
    const environment = { NUM_BACKUPS: "2", ...mirrorEnvironment(bucket) };
    const culler = await startFunction("cull", cullEnvironment(volume.path, environment));
    return {
      bucket,
      culler,
      name: backups[2]?.name ?? assert.fail(),
      async findRefused() {
        const report = await cull(culler);
        assert.ok(report.bucket !== undefined && "refused" in report.bucket);
        const told = report.bucket.refused.map(({ database, rule }) => `${database} ${rule}`);
        return { volume: report.refused, bucket: told };
      },
      async left() {
        const [inBucket, onVolume] = await Promise.all([mirror.list(never), volume.catalog.list(never)]);
        const of = (database: string) => (backup: { readonly database: string }) =>
          backup.database === database;
        return DATABASES.flatMap((database) => [
          daysOf(onVolume.backups.filter(of(database))),
          daysOf(inBucket.backups.filter(of(database))),
        ]);
      },
      async [Symbol.asyncDispose]() {
        for (const each of [culler, bucket, volume]) await each[Symbol.asyncDispose]();
      },
    };
  }

  const put = async ({ client, settings: { bucket } }: TestBucket, Key: string, Body: string) =>
    client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
  const kinds: Readonly<Record<string, (bucket: TestBucket, name: string) => Promise<unknown>>> = {
    "whose manifest cannot be read": (bucket, name) => put(bucket, `${name}.json`, "{ broken"),
    "whose archive has another size": (bucket, name) => put(bucket, name, "PGD"),
    "whose archive is gone": ({ client, settings: { bucket } }, name) =>
      client.send(new DeleteObjectCommand({ Bucket: bucket, Key: name })),
  };
  for (const [what, damage] of Object.entries(kinds))
    it(`${what} stops the bucket's cull of its database, and nothing else, until it is acknowledged`, async () => {
      await using given = await setUp();
      await damage(given.bucket, given.name);
      const newest = ["11-04", "11-03"];

      assert.deepEqual(await given.findRefused(), { volume: [], bucket: ["hets damaged"] });
      assert.deepEqual(await given.left(), [newest, ["11-04", "11-02", "11-01"], newest, newest]);

      assert.equal((await given.culler.post({ acknowledge: given.name })).status, 200);
      assert.deepEqual(await given.findRefused(), { volume: [], bucket: [] });
      assert.deepEqual(await given.left(), [newest, ["11-04", "11-02"], newest, newest]);
    });
});
