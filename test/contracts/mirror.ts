import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { it } from "node:test";
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { toBackup } from "../../shared/catalog/backup.ts";
import type { BucketSettings } from "../../shared/catalog/bucket/bucket.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { aManifest } from "../support/backups.ts";
import { collect } from "../support/postgres-adapter.ts";
import { makeBucket, type Store } from "../support/s3.ts";
import { pieces } from "../support/volume.ts";

const never = new AbortController().signal;
export const LARGE = randomBytes((20 << 20) + 17);

export function aBackupOf(bytes: Uint8Array, day = 22) {
  return toBackup(aManifest({ bytes, startedAt: new Date(`2026-11-${day}T01:00:00Z`), sequence: day }));
}

/** What every store must do for the mirror. */
export function behavesAsMirror(describeStore: () => Store, changes: Partial<BucketSettings> = {}): void {
  it("lists nothing in an empty bucket", async () => {
    await using bucket = await makeBucket(describeStore(), changes);

    const listing = await bucketCatalog(bucket.settings).list(never);

    assert.deepEqual(listing, { backups: [], legacy: [], foreign: [] });
  });

  for (const [size, bytes] of Object.entries({
    "no bytes": Buffer.alloc(0),
    "a few bytes": Buffer.from("PGDMP"),
    "one part exactly": LARGE.subarray(0, 8 << 20),
    "one part and a byte": LARGE.subarray(0, (8 << 20) + 1),
    "several parts": LARGE,
  })) {
    it(`gives back an archive of ${size}, also from its middle`, async () => {
      await using bucket = await makeBucket(describeStore(), changes);
      const mirror = bucketCatalog(bucket.settings);
      const backup = aBackupOf(bytes);

      await mirror.copyIn(backup, async () => pieces(bytes), never);

      assert.deepEqual((await mirror.list(never)).backups, [backup]);
      assert.ok((await collect(await mirror.open(backup.name, 0, never))).equals(bytes));
      const middle = bytes.length >> 1;
      if (middle > 0)
        assert.ok(
          (await collect(await mirror.open(backup.name, middle, never))).equals(bytes.subarray(middle)),
        );
    });
  }

  it("is given one version of an object and its ETag, also while others replace it", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const { client, settings } = bucket;
    const object = { Bucket: settings.bucket, Key: "replaced" };
    const versions = Array.from({ length: 20 }, (_, index) => `${index},`.repeat(2000 * (index + 1)));
    const tags = new Map<string, string | undefined>();
    const write = async (Body: string) => {
      const { ETag } = await client.send(new PutObjectCommand({ ...object, Body }));
      tags.set(Body, ETag);
    };
    const read = async () => {
      const { Body, ETag } = await client.send(new GetObjectCommand(object));
      return { text: await Body?.transformToString(), ETag };
    };
    await write("first");

    const writes = versions.map(write);
    const reads = await Promise.all([...versions, ...versions].map(read));
    await Promise.all(writes);

    for (const { text = "", ETag } of reads) assert.equal(ETag, tags.get(text));
  });

  it("keeps to its prefix, and does not take a sibling for its own", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const [mine, sibling] = ["hets", "hets-old"].map((prefix) =>
      bucketCatalog({ ...bucket.settings, prefix }),
    );
    const bytes = Buffer.from("PGDMP");
    await sibling?.copyIn(aBackupOf(bytes, 21), async () => pieces(bytes), never);

    await mine?.copyIn(aBackupOf(bytes, 22), async () => pieces(bytes), never);

    assert.deepEqual(
      (await mine?.list(never))?.backups.map(({ sequence }) => sequence),
      [22],
    );
    assert.ok((await bucket.keys()).includes("hets/2026-11-22/hets2026-11-22-01-00.bak.json"));
  });

  it("reports what is no backup, and never counts it", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const mirror = bucketCatalog(bucket.settings);
    const whole = aBackupOf(Buffer.from("PGDMP"));
    await mirror.copyIn(whole, async () => pieces("PGDMP"), never);
    const put = (Key: string, Body: string) =>
      bucket.client.send(new PutObjectCommand({ Bucket: bucket.settings.bucket, Key, Body }));
    await put("notes.txt", "x");
    await put("2026-11-20/hets2026-11-20-01-00.bak", "PGDMP");
    await put("2026-11-19/hets2026-11-19-01-00.bak.json", "{}");
    await put("2026-11-18/hets2026-11-18-01-00.bak", "PGDMP");
    await put("2026-11-18/hets2026-11-18-01-00.bak.json", "{}");
    await put(`${whole.name}`, "PGDM");

    const { backups, foreign } = await mirror.list(never);

    assert.deepEqual(backups, []);
    assert.deepEqual(Object.fromEntries(foreign.map(({ path, reason }) => [path, reason])), {
      "notes.txt": "unknown_file",
      "2026-11-20/hets2026-11-20-01-00.bak": "archive_without_manifest",
      "2026-11-19/hets2026-11-19-01-00.bak.json": "manifest_without_archive",
      "2026-11-18/hets2026-11-18-01-00.bak.json": "manifest_unreadable",
      [whole.name]: "archive_size_differs",
    });
  });

  it("refuses an archive that the volume has changed, and shows nothing of it", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const mirror = bucketCatalog(bucket.settings);
    const rotten = Buffer.from(LARGE);
    rotten[rotten.length - 1] = (rotten.at(-1) ?? 0) ^ 1;

    for (const [written, found] of [
      [LARGE, rotten],
      [LARGE, LARGE.subarray(1)],
      [Buffer.from("PGDMP"), Buffer.from("PGDMQ")],
      [Buffer.from("PGDMP"), Buffer.from("PGDMPP")],
      [Buffer.from("PGDMP"), Buffer.alloc(0)],
    ] as const)
      await assert.rejects(
        mirror.copyIn(aBackupOf(written), async () => pieces(found), never),
        {
          code: "archive_damaged",
        },
      );

    assert.deepEqual(await bucket.keys(), []);
  });

  it("sends no archive that is there and equal, and replaces one that is there in part", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const mirror = bucketCatalog(bucket.settings);
    const backup = aBackupOf(Buffer.from("PGDMP"));
    const put = (Body: string) =>
      bucket.client.send(new PutObjectCommand({ Bucket: bucket.settings.bucket, Key: backup.name, Body }));
    const unread = async () => assert.fail("was read");

    await put("PGDMP");
    await mirror.copyIn(backup, unread, never);
    await put("PGDMX");
    await mirror.copyIn(backup, async () => pieces("PGDMP"), never);

    assert.equal(String(await collect(await mirror.open(backup.name, 0, never))), "PGDMP");
  });

  it("replaces a manifest that has changed", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const mirror = bucketCatalog(bucket.settings);
    const backup = aBackupOf(Buffer.from("PGDMP"));
    await mirror.copyIn(backup, async () => pieces("PGDMP"), never);
    const pinned = { ...backup.manifest, pin: { at: "2026-11-23T00:00:00.000Z", by: "test" } };

    await mirror.rewrite(pinned, never);

    assert.deepEqual((await mirror.list(never)).backups, [toBackup(pinned)]);
  });

  it("removes both objects of a backup and nothing else", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const mirror = bucketCatalog(bucket.settings);
    const [one, other] = [aBackupOf(Buffer.from("PGDMP"), 21), aBackupOf(Buffer.from("PGDMP"), 22)];
    for (const backup of [one, other]) await mirror.copyIn(backup, async () => pieces("PGDMP"), never);

    const removal = await mirror.remove(one.name, never);

    assert.equal(removal, "removed");
    assert.deepEqual(await bucket.keys(), [other.name, `${other.name}.json`]);
  });

  it("finds one backup as it is now, and none of which an object is missing", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const mirror = bucketCatalog(bucket.settings);
    const [one, half, none] = [21, 22, 23].map((day) => aBackupOf(Buffer.from("PGDMP"), day));
    assert.ok(one && half && none);
    for (const backup of [one, half]) await mirror.copyIn(backup, async () => pieces("PGDMP"), never);
    const { client, settings } = bucket;
    await client.send(new DeleteObjectCommand({ Bucket: settings.bucket, Key: `${half.name}.json` }));

    assert.deepEqual(await mirror.find(one.name, never), one);
    assert.equal(await mirror.find(half.name, never), undefined);
    assert.equal(await mirror.find(none.name, never), undefined);
  });

  it("finishes a removal only where the manifest is gone and the archive is the one meant", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const mirror = bucketCatalog(bucket.settings);
    const [whole, half] = [21, 22].map((day) => aBackupOf(Buffer.from("PGDMP"), day));
    assert.ok(whole && half);
    for (const backup of [whole, half]) await mirror.copyIn(backup, async () => pieces("PGDMP"), never);
    const { client, settings } = bucket;
    await client.send(new DeleteObjectCommand({ Bucket: settings.bucket, Key: `${half.name}.json` }));

    assert.equal(await mirror.finishRemoval(whole.name, whole.sizeBytes, never), false);
    assert.equal(await mirror.finishRemoval(half.name, half.sizeBytes + 1, never), false);
    assert.equal(await mirror.finishRemoval(half.name, half.sizeBytes, never), true);
    assert.equal(await mirror.finishRemoval(half.name, half.sizeBytes, never), false);

    assert.deepEqual(await bucket.keys(), [whole.name, `${whole.name}.json`]);
  });

  it("stops when it is aborted, and shows nothing of what was sent", async () => {
    await using bucket = await makeBucket(describeStore(), changes);
    const stop = new AbortController();
    async function* slow() {
      yield LARGE.subarray(0, 9 << 20);
      stop.abort(new Error("enough"));
      yield LARGE.subarray(9 << 20);
    }

    const copy = bucketCatalog(bucket.settings).copyIn(aBackupOf(LARGE), async () => slow(), stop.signal);

    await assert.rejects(copy, /enough/);
    assert.deepEqual(await bucket.keys(), []);
  });
}
