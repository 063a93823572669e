import { DeleteObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import type { ArchiveName } from "../backup/archive-name.ts";
import type { Backup } from "../backup/backup.ts";
import { serialiseManifest, type BackupManifest } from "../backup/manifest.ts";
import type { Mirror, Removal } from "../backup/mirror.ts";
import { openBucket, type Bucket, type BucketSettings } from "./bucket.ts";
import { listBucket } from "./list-bucket.ts";
import { digestOf, isThere, proveObject } from "./prove-object.ts";
import { readObject } from "./read-object.ts";
import { s3Error } from "./s3-errors.ts";
import { putBytes, uploadArchive } from "./upload-archive.ts";
import { sweepUploads } from "./uploads.ts";

/** The mirror in a bucket of any store that speaks S3. Loading this module loads the SDK. */
export function s3Mirror(settings: BucketSettings): Mirror {
  const bucket = openBucket(settings);
  return {
    list: (signal) => listBucket(bucket, signal),
    copyIn: (backup, open, signal) => copyIn(bucket, backup, open, signal),
    rewrite: (manifest, signal) => rewrite(bucket, manifest, signal),
    open: async (name, fromByte, signal) => readObject(bucket, bucket.prefix + name, fromByte, signal),
    remove: (name, signal) => remove(bucket, name, signal),
    sweep: (database, wanted, signal) => sweepUploads(bucket, { database, wanted }, signal),
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
    const checksum = await uploadArchive(bucket, key, { backup, source: await open() }, signal);
    await proveObject(bucket, key, { sizeBytes, sha256, checksum }, signal);
  }
  // The manifest makes the backup, here as on the volume: last.
  await rewrite(bucket, backup.manifest, signal);
}

async function rewrite(bucket: Bucket, manifest: BackupManifest, signal: AbortSignal): Promise<void> {
  const key = `${bucket.prefix}${manifest.name}.json`;
  const bytes = Buffer.from(serialiseManifest(manifest));
  try {
    await putBytes(bucket, key, bytes, signal);
  } catch (error) {
    throw s3Error(error, `sending the manifest of ${manifest.name}`, signal);
  }
  await proveObject(bucket, key, digestOf(bytes), signal);
}

async function remove(bucket: Bucket, name: ArchiveName, signal: AbortSignal): Promise<Removal> {
  const key = bucket.prefix + name;
  try {
    if (await isLocked(bucket, key, signal)) return "locked";
    const markers = [
      await removeObject(bucket, `${key}.json`, signal),
      await removeObject(bucket, key, signal),
    ];
    return markers.includes(true) ? "hidden" : "removed";
  } catch (error) {
    throw s3Error(error, `removing ${name} from the bucket`, signal);
  }
}

async function isLocked(bucket: Bucket, key: string, signal: AbortSignal): Promise<boolean> {
  const { ObjectLockRetainUntilDate, ObjectLockLegalHoldStatus } = await bucket.client.send(
    new HeadObjectCommand({ Bucket: bucket.name, Key: key }),
    { abortSignal: signal },
  );
  return ObjectLockLegalHoldStatus === "ON" || (ObjectLockRetainUntilDate?.getTime() ?? 0) > Date.now();
}

/** Whether the store only covered it with a marker. One request for one object: bulk deletion is what stores differ in. */
async function removeObject(bucket: Bucket, key: string, signal: AbortSignal): Promise<boolean> {
  const { DeleteMarker } = await bucket.client.send(
    new DeleteObjectCommand({ Bucket: bucket.name, Key: key }),
    { abortSignal: signal },
  );
  return DeleteMarker === true;
}
