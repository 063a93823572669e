import { randomUUID } from "node:crypto";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { good, type Check } from "../backup/finding.ts";
import { asDormouseError } from "../errors.ts";
import { openBucket, type Bucket, type BucketSettings } from "./bucket.ts";
import { digestOf, proveObject } from "./prove-object.ts";
import { s3Error } from "./s3-errors.ts";
import { putBytes } from "./upload-archive.ts";

/** Does with a few bytes what mirroring a backup does: sends, reads back, and removes as a cull would. */
export function bucketCheck(settings: BucketSettings): Check {
  return {
    name: "mirror",
    async look(signal) {
      const bucket = openBucket(settings);
      // A name of its own: two examinations at once must not remove each other's.
      const key = `${bucket.prefix}doctor-${randomUUID()}`;
      try {
        const refusal = await rehearse(bucket, key, signal);
        const works = good(`bucket ${bucket.name} takes an object and gives it back`);
        if (refusal === undefined) return [works];
        const { message, hint } = asDormouseError(refusal);
        // A backup does not need it.
        return [works, { state: "warning", detail: message, fix: hint }];
      } finally {
        bucket.client.destroy();
      }
    },
  };
}

/** Answers with what speaks against removing the object, if anything does. */
async function rehearse(bucket: Bucket, key: string, signal: AbortSignal): Promise<unknown> {
  const bytes = Buffer.from(key);
  let refusal: unknown;
  try {
    await putBytes(bucket, key, bytes, signal);
  } catch (error) {
    throw s3Error(error, `sending an object to bucket ${bucket.name}`, signal);
  }
  try {
    await proveObject(bucket, key, digestOf(bytes), signal);
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
