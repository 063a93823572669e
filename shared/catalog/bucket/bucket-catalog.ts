import type { Backup } from "../backup.ts";
import type { BucketCatalog } from "../catalog.ts";
import { serialiseManifest, type BackupManifest } from "../manifest.ts";
import { digestOfBytes } from "../digest.ts";
import { openBucket, type Bucket, type BucketSettings } from "./bucket.ts";
import { knownManifests, NONE_KNOWN } from "../volume/known-manifests.ts";
import { findInBucket, listBucket } from "./list-bucket.ts";
import { markObject } from "./mark-object.ts";
import { isThere, proveObject } from "./prove-object.ts";
import { readObject } from "./read-object.ts";
import { finishRemoval, removeFromBucket } from "./remove-from-bucket.ts";
import { s3Error } from "./s3-errors.ts";
import { putBytes, uploadArchive } from "./upload-archive.ts";
import { sweepUploads } from "./uploads.ts";

/** The catalog in a bucket of any store that speaks S3; `backupDir` keeps what is known of it. Loading this module loads the SDK. */
export function bucketCatalog(settings: BucketSettings, backupDir?: string): BucketCatalog {
  const known = backupDir === undefined ? NONE_KNOWN : knownManifests(backupDir);
  const bucket = openBucket(settings);
  return {
    list: (signal, answerWithinMs) => listBucket(bucket, known, signal, answerWithinMs),
    copyIn: (backup, open, signal) => copyIn(bucket, backup, open, signal),
    mark: (name, change, signal) => markObject(bucket, name, change, signal),
    rewrite: (manifest, signal) => rewrite(bucket, manifest, signal),
    open: async (name, fromByte, signal) => readObject(bucket, bucket.prefix + name, fromByte, signal),
    find: (name, signal) => findInBucket(bucket, name, signal),
    remove: (name, signal) => removeFromBucket(bucket, name, signal),
    finishRemoval: (name, sizeBytes, signal) => finishRemoval(bucket, name, sizeBytes, signal),
    sweepUploads: (database, uploads, signal) => sweepUploads(bucket, { database, ...uploads }, signal),
  };
}

async function copyIn(
  bucket: Bucket,
  backup: Backup,
  open: () => Promise<AsyncIterable<Uint8Array>>,
  signal: AbortSignal,
): Promise<void> {
  const key = bucket.prefix + backup.name;
  const { sizeBytes, sha256 } = backup.manifest.archive;
  if (!(await isThere(bucket, key, { sizeBytes, sha256 }, signal))) {
    const checksum = await uploadArchive(bucket, key, { backup, open }, signal);
    await proveObject(bucket, key, { sizeBytes, sha256, checksum }, signal);
  }
  // The manifest makes the backup, here as on the volume: last.
  await rewrite(bucket, backup.manifest, signal);
}

async function rewrite(bucket: Bucket, manifest: BackupManifest, signal: AbortSignal): Promise<void> {
  const key = `${bucket.prefix}${manifest.name}.json`;
  const bytes = Buffer.from(serialiseManifest(manifest));
  try {
    await putBytes(bucket, key, bytes, { signal });
  } catch (error) {
    throw s3Error(error, `sending the manifest of ${manifest.name}`, signal);
  }
  await proveObject(bucket, key, digestOfBytes(bytes), signal);
}
