import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { mergedCatalog } from "../../shared/catalog/merged-catalog.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { embeddedStore, makeBucket, type OwnStore } from "../support/s3.ts";
import { publish, temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;
const PIN = { at: "2026-11-23T00:00:00Z", by: "ada" };

describe("volume and bucket as one catalog, for writers of manifests", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  /** Both places have one backup; the bucket has another one besides. */
  async function setUp() {
    const [volume, elsewhere, bucket] = await Promise.all([
      temporaryVolume(),
      temporaryVolume(),
      makeBucket(store),
    ]);
    const on = (day: number) => ({
      database: "hets",
      bytes: Buffer.from("PGDMP"),
      sequence: day,
      startedAt: new Date(`2026-11-${day}T01:00:00Z`),
    });
    const inBoth = await publish(volume.catalog, on(22));
    const inBucket = await publish(elsewhere.catalog, on(21));
    const mirror = bucketCatalog(bucket.settings);
    await mirror.copyIn(inBoth, () => volume.catalog.open(inBoth.name, 0, never), never);
    await mirror.copyIn(inBucket, () => elsewhere.catalog.open(inBucket.name, 0, never), never);
    return {
      catalog: mergedCatalog(volume.catalog, mirror),
      volume: volume.catalog,
      mirror,
      inBoth,
      inBucket,
      async [Symbol.asyncDispose]() {
        for (const each of [volume, elsewhere, bucket]) await each[Symbol.asyncDispose]();
      },
    };
  }

  it("finds what only the bucket has as it is now, with a pin that it was given meanwhile", async () => {
    await using given = await setUp();
    const { name, manifest } = given.inBucket;
    await given.mirror.rewrite({ ...manifest, pin: PIN }, never);

    assert.deepEqual((await given.catalog.find(name, never))?.manifest.pin, PIN);
  });

  it("writes on the volume what that has, and in the bucket only what it alone has", async () => {
    await using given = await setUp();
    const pinIn = async (name: typeof given.inBoth.name) => [
      (await given.volume.find(name, never))?.manifest.pin,
      (await given.mirror.find(name, never))?.manifest.pin,
    ];

    for (const { manifest } of [given.inBoth, given.inBucket])
      await given.catalog.mark(manifest.name, (before) => ({ ...before, pin: PIN }), never);

    assert.deepEqual(await pinIn(given.inBoth.name), [PIN, undefined]);
    assert.deepEqual(await pinIn(given.inBucket.name), [undefined, PIN]);
  });
});
