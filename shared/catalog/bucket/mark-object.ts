import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { ArchiveName } from "../archive-name.ts";
import type { ChangeMarks } from "../catalog.ts";
import { parseManifest, serialiseManifest, withMarks, type BackupManifest } from "../manifest.ts";
import { digestOfBytes } from "../digest.ts";
import type { Bucket } from "./bucket.ts";
import { proveObject } from "./prove-object.ts";
import { goneFromBucket, isMissing, isUnmatched, isUnsupported, s3Error } from "./s3-errors.ts";
import { putBytes } from "./upload-archive.ts";

const ATTEMPTS = 20;

/** Reads, changes and writes on the condition that it is still the same; another's change in between is read anew. */
export async function markObject(
  bucket: Bucket,
  name: ArchiveName,
  change: ChangeMarks,
  signal: AbortSignal,
): Promise<BackupManifest> {
  const key = `${bucket.prefix}${name}.json`;
  try {
    for (let attempt = 1; ; attempt++) {
      const { manifest, etag } = await read(bucket, key, name, signal);
      const marked = withMarks(manifest, change(manifest));
      const bytes = Buffer.from(serialiseManifest(marked));
      if (await replace(bucket, key, { bytes, etag, isLast: attempt === ATTEMPTS }, signal)) {
        await proveObject(bucket, key, digestOfBytes(bytes), signal);
        return marked;
      }
    }
  } catch (error) {
    if (isMissing(error)) throw goneFromBucket(name);
    throw s3Error(error, `marking ${name} in the bucket`, signal);
  }
}

async function read(bucket: Bucket, key: string, name: ArchiveName, signal: AbortSignal) {
  const command = new GetObjectCommand({ Bucket: bucket.name, Key: key });
  const { Body, ETag } = await bucket.client.send(command, { abortSignal: signal });
  const json = (await Body?.transformToString()) ?? "";
  return { manifest: parseManifest(name, json), etag: ETag };
}

type Replacement = { readonly bytes: Buffer; readonly etag: string | undefined; readonly isLast: boolean };

/** Answers false where another was first. */
async function replace(
  bucket: Bucket,
  key: string,
  { bytes, etag, isLast }: Replacement,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await putBytes(bucket, key, bytes, { signal, ifMatch: etag });
    return true;
  } catch (error) {
    if (isUnmatched(error) && !isLast) return false;
    if (!isUnsupported(error)) throw error;
    await putBytes(bucket, key, bytes, { signal });
    return true;
  }
}
