import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { it } from "node:test";
import {
  ListPartsCommand,
  PutBucketVersioningCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { BucketSettings } from "../../shared/catalog/bucket/bucket.ts";
import type { ChangeMarks } from "../../shared/catalog/catalog.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { until } from "../support/faulty.ts";
import { collect } from "../support/postgres-adapter.ts";
import { beginUpload, makeBucket, uploadsIn, type Store, type TestBucket } from "../support/s3.ts";
import { watchSdk } from "../support/sdk-requests.ts";
import { pieces } from "../support/volume.ts";
import { aBackupOf, LARGE } from "./mirror.ts";

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;

/** What only some stores can: uploads that are taken up, checksums that are vouched for, versions and locks. */
export function usesWhatTheStoreCan(describeStore: () => Store): void {
  /** Stops a copy when the store has two of its three parts. */
  async function interrupted(bucket: TestBucket, settings: BucketSettings) {
    const stop = new AbortController();
    async function* half() {
      yield LARGE.subarray(0, 17 << 20);
      await until(async () => (await partsIn(bucket)) === 2);
      stop.abort(new Error("enough"));
      yield LARGE.subarray(17 << 20);
    }
    const copy = bucketCatalog(settings).copyIn(aBackupOf(LARGE), async () => half(), stop.signal);
    await assert.rejects(copy, /enough/);
  }

  async function partsIn(bucket: TestBucket): Promise<number> {
    const [{ Key, UploadId } = {}] = await uploadsIn(bucket);
    if (UploadId === undefined) return 0;
    const upload = { Bucket: bucket.settings.bucket, Key, UploadId };
    return (await bucket.client.send(new ListPartsCommand(upload))).Parts?.length ?? 0;
  }

  for (const checksums of ["when-required", "when-supported"] as const)
    it(`goes on with an upload that an earlier run began, and sends no part twice, checksums ${checksums}`, async () => {
      await using bucket = await makeBucket(describeStore(), { checksums });
      await interrupted(bucket, bucket.settings);
      assert.equal((await uploadsIn(bucket)).length, 1);
      const backup = aBackupOf(LARGE);
      const mirror = bucketCatalog(bucket.settings);
      using sdk = watchSdk();

      await mirror.copyIn(backup, async () => pieces(LARGE), never);

      assert.equal(sdk.seen().filter(({ path }) => path.includes("partNumber")).length, 1);
      assert.ok((await collect(await mirror.open(backup.name, 0, never))).equals(LARGE));
      assert.deepEqual(await uploadsIn(bucket), []);
    });

  it("sends a part again whose bytes are not those of the archive", async () => {
    await using bucket = await makeBucket(describeStore());
    await interrupted(bucket, bucket.settings);
    const others = randomBytes(LARGE.length);
    const mirror = bucketCatalog(bucket.settings);

    await mirror.copyIn(aBackupOf(others), async () => pieces(others), never);

    assert.ok((await collect(await mirror.open(aBackupOf(others).name, 0, never))).equals(others));
  });

  it("goes on with the upload that was begun last where there are several", async () => {
    await using bucket = await makeBucket(describeStore());
    const backup = aBackupOf(LARGE);
    await beginUpload(bucket, backup.name);
    await interruptedLater(bucket);
    using sdk = watchSdk();

    await bucketCatalog(bucket.settings).copyIn(backup, async () => pieces(LARGE), never);

    assert.equal(sdk.seen().filter(({ path }) => path.includes("partNumber")).length, 2);
  });

  /** Of some stores the times are of whole seconds. */
  async function interruptedLater(bucket: TestBucket) {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const UploadId = await beginUpload(bucket, aBackupOf(LARGE).name);
    const part = { Bucket: bucket.settings.bucket, Key: aBackupOf(LARGE).name, UploadId, PartNumber: 1 };
    await bucket.client.send(new UploadPartCommand({ ...part, Body: LARGE.subarray(0, 8 << 20) }));
  }

  it("ends abandoned uploads of its database, and no others", async () => {
    await using bucket = await makeBucket(describeStore());
    const { name } = aBackupOf(LARGE);
    for (const key of [name, "2026-11-22/other2026-11-22-01-00.bak", "notes.txt"])
      await beginUpload(bucket, key);
    const mirror = bucketCatalog(bucket.settings);

    const [none, one] = [new Set<never>(), new Set([name])];
    assert.equal(await mirror.sweepUploads("hets", { wanted: one, over: none }, never), 0);
    assert.equal(await mirror.sweepUploads("nobody", { wanted: none, over: one }, never), 0);
    // It may be another installation's, which has just begun.
    assert.equal(await mirror.sweepUploads("hets", { wanted: none, over: none }, never), 0);
    assert.equal(await mirror.sweepUploads("hets", { wanted: none, over: one }, never), 1);

    const left = (await uploadsIn(bucket)).map(({ Key }) => Key);
    assert.deepEqual(left, ["2026-11-22/other2026-11-22-01-00.bak", "notes.txt"]);
  });

  it("lists parts page by page", async () => {
    await using bucket = await makeBucket(describeStore());
    const { client, settings } = bucket;
    const upload = { Bucket: settings.bucket, Key: "some", UploadId: await beginUpload(bucket, "some") };
    for (const PartNumber of [2, 1, 3])
      await client.send(new UploadPartCommand({ ...upload, PartNumber, Body: Buffer.from("part") }));

    const page = async (PartNumberMarker?: string) => {
      const some = { ...upload, MaxParts: 2, ...(PartNumberMarker && { PartNumberMarker }) };
      const { Parts, IsTruncated, NextPartNumberMarker } = await client.send(new ListPartsCommand(some));
      const parts = Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]);
      return { parts, IsTruncated, NextPartNumberMarker };
    };

    const [first, second] = [await page(), await page("2")];

    assert.deepEqual(first, {
      parts: [
        [1, 4],
        [2, 4],
      ],
      IsTruncated: true,
      NextPartNumberMarker: "2",
    });
    assert.deepEqual([second.parts, second.IsTruncated], [[[3, 4]], false]);
  });

  it("takes the store's word for a checksum of its own, and reads nothing back", async () => {
    await using bucket = await makeBucket(describeStore(), { checksums: "when-supported" });
    for (const bytes of [Buffer.from("PGDMP"), LARGE]) {
      const backup = aBackupOf(bytes, bytes === LARGE ? 23 : 22);
      using sdk = watchSdk();

      await bucketCatalog(bucket.settings).copyIn(backup, async () => pieces(bytes), never);

      const reads = sdk
        .seen()
        .filter(({ method, path }) => method === "GET" && path.includes(`${backup.name}?`));
      assert.deepEqual(reads, []);
    }
  });

  it("loses none of the marks that several set at once", async () => {
    await using bucket = await makeBucket(describeStore());
    const backup = aBackupOf(Buffer.from("PGDMP"));
    const mirror = bucketCatalog(bucket.settings);
    await mirror.copyIn(backup, async () => pieces("PGDMP"), never);
    const [at, by] = ["2026-11-23T00:00:00.000Z", "test"];
    const changes: readonly ChangeMarks[] = [
      (manifest) => ({ ...manifest, pin: { at, by } }),
      (manifest) => ({ ...manifest, acknowledged: { at, by } }),
      (manifest) => ({ ...manifest, verification: { level: "counted", at } }),
    ];

    await Promise.all(
      changes.map((change) => bucketCatalog(bucket.settings).mark(backup.name, change, never)),
    );

    const { pin, acknowledged, verification } = (await mirror.find(backup.name, never))?.manifest ?? {};
    assert.deepEqual([pin?.by, acknowledged?.by, verification?.level], [by, by, "counted"]);
  });

  it("hides a backup where versions are kept", async () => {
    await using bucket = await makeBucket(describeStore());
    const VersioningConfiguration = { Status: "Enabled" } as const;
    const { client, settings } = bucket;
    await client.send(new PutBucketVersioningCommand({ Bucket: settings.bucket, VersioningConfiguration }));
    const mirror = bucketCatalog(settings);
    const backup = aBackupOf(Buffer.from("PGDMP"));
    await mirror.copyIn(backup, async () => pieces("PGDMP"), never);

    assert.equal(await mirror.remove(backup.name, never), "hidden");

    assert.deepEqual((await mirror.list(never)).backups, []);
  });

  it("leaves a backup alone that a lock or a legal hold keeps, and removes it when the hold is lifted", async () => {
    await using bucket = await makeBucket(describeStore(), {}, { ObjectLockEnabledForBucket: true });
    const { client, settings } = bucket;
    const mirror = bucketCatalog(settings);
    const [held, retained] = [aBackupOf(Buffer.from("PGDMP"), 21), aBackupOf(Buffer.from("PGDMP"), 22)];
    for (const backup of [held, retained]) await mirror.copyIn(backup, async () => pieces("PGDMP"), never);
    const hold = (Status: "ON" | "OFF") =>
      client.send(
        new PutObjectLegalHoldCommand({ Bucket: settings.bucket, Key: held.name, LegalHold: { Status } }),
      );
    const Retention = { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + HOUR_MS) } as const;
    await hold("ON");
    await client.send(
      new PutObjectRetentionCommand({ Bucket: settings.bucket, Key: retained.name, Retention }),
    );

    for (const { name } of [held, retained]) assert.equal(await mirror.remove(name, never), "locked");
    assert.deepEqual((await mirror.list(never)).backups, [retained, held]);
    await hold("OFF");
    assert.equal(await mirror.remove(held.name, never), "hidden");

    assert.deepEqual((await mirror.list(never)).backups, [retained]);
  });
}
