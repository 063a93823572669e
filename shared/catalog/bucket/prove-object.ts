import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { isSame, type Digest } from "../digest.ts";
import { DormouseError } from "../../errors.ts";
import type { Bucket } from "./bucket.ts";
import { digestObject } from "./read-object.ts";
import { isMissing, s3Error } from "./s3-errors.ts";

type Expected = Digest & {
  /** What the store must have computed itself, where it was asked to; see S3's "checking object integrity". */
  readonly checksum?: string | undefined;
};

/**
 * Throws `mirror_checksum_mismatch` unless the object is, byte for byte, what it should be. The store's word is taken only for a
 * SHA-256 that it computed itself; else the object is read back.
 */
export async function proveObject(
  bucket: Bucket,
  key: string,
  expected: Expected,
  signal: AbortSignal,
): Promise<void> {
  if (await isVouchedFor(bucket, key, expected, signal)) return;
  const found = await digestObject(bucket, key, signal);
  if (isSame(found, expected)) return;
  const sizes = `${found.sizeBytes} bytes instead of ${expected.sizeBytes}`;
  const how = found.sizeBytes === expected.sizeBytes ? "other bytes of the same number" : sizes;
  throw new DormouseError("mirror_checksum_mismatch", `the bucket keeps ${how} for ${key}`, {
    hint: "do not trust this store before it is mended; S3_CHECKSUMS=when-required helps with old ones",
  });
}

async function isVouchedFor(
  bucket: Bucket,
  key: string,
  { sizeBytes, checksum }: Expected,
  signal: AbortSignal,
): Promise<boolean> {
  if (checksum === undefined) return false;
  try {
    const { ContentLength, ChecksumSHA256 } = await bucket.client.send(
      new HeadObjectCommand({ Bucket: bucket.name, Key: key, ChecksumMode: "ENABLED" }),
      { abortSignal: signal },
    );
    return ContentLength === sizeBytes && ChecksumSHA256 === checksum;
  } catch (error) {
    throw s3Error(error, `looking for ${key}`, signal);
  }
}

/** Whether the object is there and equal; other bytes are no error here, they are sent again. */
export async function isThere(
  bucket: Bucket,
  key: string,
  expected: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(await hasSize(bucket, key, expected.sizeBytes, signal))) return false;
  try {
    return isSame(await digestObject(bucket, key, signal), expected);
  } catch (error) {
    if (isMissing(error)) return false;
    throw s3Error(error, `looking for ${key}`, signal);
  }
}

/** Whether the object is there, and as long. */
export async function hasSize(
  bucket: Bucket,
  key: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { ContentLength } = await bucket.client.send(
      new HeadObjectCommand({ Bucket: bucket.name, Key: key }),
      { abortSignal: signal },
    );
    return ContentLength === sizeBytes;
  } catch (error) {
    if (isMissing(error)) return false;
    throw s3Error(error, `looking for ${key}`, signal);
  }
}
