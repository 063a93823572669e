import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { toBackup } from "../../shared/catalog/backup.ts";
import { MAX_MANIFEST_BYTES } from "../../shared/catalog/classify.ts";
import { serialiseManifest } from "../../shared/catalog/manifest.ts";
import { aManifest } from "../support/backups.ts";
import { embeddedStore, makeBucket, type OwnStore } from "../support/s3.ts";
import { temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;
const WHOLE = aManifest({ bytes: Buffer.from("PGDMP"), startedAt: new Date("2026-11-22T01:00:00Z") });
const SHORT = aManifest({ bytes: Buffer.from("PGDMP"), startedAt: new Date("2026-11-21T01:00:00Z") });

/** Each by its path, and what either place says of it; `undefined` for a part of something else. */
const LYING_THERE: Readonly<
  Record<string, { readonly content: string; readonly says?: readonly [path: string, reason: string] }>
> = {
  [WHOLE.name]: { content: "PGDMP" },
  [`${WHOLE.name}.json`]: { content: serialiseManifest(WHOLE) },
  [SHORT.name]: { content: "PGDM", says: [SHORT.name, "archive_size_differs"] },
  [`${SHORT.name}.json`]: { content: serialiseManifest(SHORT) },
  "notes.txt": { content: "x", says: ["notes.txt", "unknown_file"] },
  "2026-11-20/.tmp-backup-1-00000000": {
    content: "x",
    says: ["2026-11-20/.tmp-backup-1-00000000", "temporary"],
  },
  "2026-11-20/hets2026-11-20-01-00.bak.json": {
    content: "{}",
    says: ["2026-11-20/hets2026-11-20-01-00.bak.json", "manifest_without_archive"],
  },
  "2026-11-19/hets2026-11-19-01-00.bak": { content: "PGDMP" },
  "2026-11-19/hets2026-11-19-01-00.bak.json": {
    content: "{}",
    says: ["2026-11-19/hets2026-11-19-01-00.bak.json", "manifest_unreadable"],
  },
  "2026-11-18/hets2026-11-18-01-00.bak": { content: "PGDMP" },
  "2026-11-18/hets2026-11-18-01-00.bak.json": {
    content: " ".repeat(MAX_MANIFEST_BYTES + 1),
    says: ["2026-11-18/hets2026-11-18-01-00.bak.json", "manifest_unreadable"],
  },
};

describe("what lies on a volume and in a bucket", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  it("is classified the same, in the same words and order", async () => {
    await using volume = await temporaryVolume();
    await using bucket = await makeBucket(store);
    const Bucket = bucket.settings.bucket;
    for (const [path, { content }] of Object.entries(LYING_THERE)) {
      await mkdir(dirname(join(volume.path, path)), { recursive: true });
      await writeFile(join(volume.path, path), content);
      await bucket.client.send(new PutObjectCommand({ Bucket, Key: path, Body: content }));
    }

    const onVolume = await volume.catalog.list(never);
    const inBucket = await bucketCatalog(bucket.settings).list(never);

    assert.deepEqual(inBucket, onVolume);
    assert.deepEqual(onVolume.backups, [toBackup(WHOLE)]);
    const said = Object.values(LYING_THERE).flatMap(({ says }) => (says === undefined ? [] : [says]));
    assert.deepEqual(
      onVolume.foreign.map(({ path, reason }) => [path, reason]),
      said.toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  });
});
