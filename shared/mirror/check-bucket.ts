import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { good, type Check, type Finding } from "../backup/finding.ts";
import { asDormouseError } from "../errors.ts";
import { openBucket, type Bucket, type BucketSettings } from "./bucket.ts";
import { listSizes } from "./list-bucket.ts";
import { digestOf, proveObject } from "./prove-object.ts";
import { isDenied, isMissing, s3Error } from "./s3-errors.ts";
import { putBytes } from "./upload-archive.ts";

const ATTEMPTS = 5;

type Seen = Omit<Finding, "check">;

/** The function that examines; only `backup` sends archives, and must be allowed to. */
export type Examiner = "backup" | "cull" | "restore";

/**
 * Does with a few bytes what mirroring a backup does: sends, reads back, and removes as a cull would. For who never
 * sends it is enough that the bucket can be listed.
 */
export function bucketCheck(settings: BucketSettings, examiner: Examiner): Check {
  return {
    name: "mirror",
    async look(signal) {
      const bucket = openBucket(settings);
      try {
        return await findingsOf(bucket, examiner, signal);
      } finally {
        bucket.client.destroy();
      }
    },
  };
}

async function findingsOf(bucket: Bucket, examiner: Examiner, signal: AbortSignal): Promise<readonly Seen[]> {
  // One name for each function: where nothing can be removed, one object stays, not one of each examination.
  const key = `${bucket.prefix}doctor-${examiner}`;
  try {
    await send(bucket, key, signal);
  } catch (error) {
    const refusal = s3Error(error, `sending an object to bucket ${bucket.name}`, signal);
    if (examiner === "backup" || !isDenied(error)) throw refusal;
    return [await listed(bucket, signal), warningOf(refusal)];
  }
  const refusal = await readAndRemove(bucket, key, signal);
  const works = good(`bucket ${bucket.name} takes an object and gives it back`);
  // A backup does not need to remove.
  return refusal === undefined ? [works] : [works, warningOf(refusal)];
}

/** The same bytes whoever sends them: two examinations at once do not mistake each other's for a fault. */
async function send(bucket: Bucket, key: string, signal: AbortSignal): Promise<void> {
  await putBytes(bucket, key, Buffer.from(key), { signal });
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
    await prove(bucket, key, signal);
  } finally {
    refusal = await remove(bucket, key, signal);
  }
  return refusal;
}

/** Another examination may remove it before it is read here; not time after time. */
async function prove(bucket: Bucket, key: string, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await proveObject(bucket, key, digestOf(Buffer.from(key)), signal);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || !isMissing((error as Error).cause)) throw error;
      await send(bucket, key, signal);
    }
  }
}

async function remove({ client, name }: Bucket, key: string, signal: AbortSignal): Promise<unknown> {
  try {
    await client.send(new DeleteObjectCommand({ Bucket: name, Key: key }), { abortSignal: signal });
    return undefined;
  } catch (error) {
    return s3Error(error, `removing ${key} from bucket ${name}`, signal);
  }
}
