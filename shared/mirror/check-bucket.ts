import { randomUUID } from "node:crypto";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { good, type Check, type Finding } from "../backup/finding.ts";
import { asDormouseError } from "../errors.ts";
import { openBucket, type Bucket, type BucketSettings } from "./bucket.ts";
import { listSizes } from "./list-bucket.ts";
import { digestOf, proveObject } from "./prove-object.ts";
import { isDenied, s3Error } from "./s3-errors.ts";
import { putBytes } from "./upload-archive.ts";

type Seen = Omit<Finding, "check">;

/**
 * Does with a few bytes what mirroring a backup does: sends, reads back, and removes as a cull would. Only who
 * `sends` backups must be allowed to; for the others it is enough that the bucket can be listed.
 */
export function bucketCheck(settings: BucketSettings, sends: boolean): Check {
  return {
    name: "mirror",
    async look(signal) {
      const bucket = openBucket(settings);
      try {
        return await findingsOf(bucket, sends, signal);
      } finally {
        bucket.client.destroy();
      }
    },
  };
}

async function findingsOf(bucket: Bucket, sends: boolean, signal: AbortSignal): Promise<readonly Seen[]> {
  // A name of its own: two examinations at once must not remove each other's.
  const key = `${bucket.prefix}doctor-${randomUUID()}`;
  try {
    await putBytes(bucket, key, Buffer.from(key), signal);
  } catch (error) {
    const refusal = s3Error(error, `sending an object to bucket ${bucket.name}`, signal);
    if (sends || !isDenied(error)) throw refusal;
    return [await listed(bucket, signal), warningOf(refusal)];
  }
  const refusal = await readAndRemove(bucket, key, signal);
  const works = good(`bucket ${bucket.name} takes an object and gives it back`);
  // A backup does not need to remove.
  return refusal === undefined ? [works] : [works, warningOf(refusal)];
}

async function listed(bucket: Bucket, signal: AbortSignal): Promise<Seen> {
  try {
    await listSizes(bucket, signal, "doctor-");
  } catch (error) {
    throw s3Error(error, `listing bucket ${bucket.name}`, signal);
  }
  return good(`bucket ${bucket.name} can be listed`);
}

function warningOf(refusal: unknown): Seen {
  const { message, hint } = asDormouseError(refusal);
  return { state: "warning", detail: message, fix: hint };
}

/** Answers with what speaks against removing the object, if anything does. */
async function readAndRemove(bucket: Bucket, key: string, signal: AbortSignal): Promise<unknown> {
  let refusal: unknown;
  try {
    await proveObject(bucket, key, digestOf(Buffer.from(key)), signal);
  } finally {
    refusal = await remove(bucket, key, signal);
  }
  return refusal;
}

async function remove({ client, name }: Bucket, key: string, signal: AbortSignal): Promise<unknown> {
  try {
    await client.send(new DeleteObjectCommand({ Bucket: name, Key: key }), { abortSignal: signal });
    return undefined;
  } catch (error) {
    return s3Error(error, `removing ${key} from bucket ${name}`, signal);
  }
}
