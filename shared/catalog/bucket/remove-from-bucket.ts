import { DeleteObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import type { ArchiveName } from "../archive-name.ts";
import type { RemoveOutcome } from "../catalog.ts";
import type { Bucket } from "./bucket.ts";
import { listObjects } from "./list-bucket.ts";
import { goneFromBucket, isMissing, s3Error } from "./s3-errors.ts";

/** Manifest first, then the archive: what is half removed is never offered for a restore. */
export async function removeFromBucket(
  bucket: Bucket,
  name: ArchiveName,
  signal: AbortSignal,
): Promise<RemoveOutcome> {
  const key = bucket.prefix + name;
  try {
    if (await isLocked(bucket, key, signal)) return "locked";
    const markers = [
      await removeObject(bucket, `${key}.json`, signal),
      await removeObject(bucket, key, signal),
    ];
    return markers.includes(true) ? "hidden" : "removed";
  } catch (error) {
    if (isMissing(error)) throw goneFromBucket(name);
    throw s3Error(error, `removing ${name} from the bucket`, signal);
  }
}

/** What is left of it for one that ended in between. Answers whether there was an archive of that size to remove. */
export async function finishRemoval(
  bucket: Bucket,
  name: ArchiveName,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<boolean> {
  const key = bucket.prefix + name;
  try {
    const objects = await listObjects(bucket, signal, name);
    if (objects.has(`${name}.json`) || objects.get(name)?.sizeBytes !== sizeBytes) return false;
    if (await isLocked(bucket, key, signal)) return false;
    await removeObject(bucket, key, signal);
    return true;
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
