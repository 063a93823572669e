import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
} from "@aws-sdk/client-s3";
import { good, type Check, type Finding } from "./finding.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import { openBucket, type Bucket, type BucketSettings } from "../catalog/bucket/bucket.ts";
import { listObjects } from "../catalog/bucket/list-bucket.ts";
import { digestOfBytes } from "../catalog/digest.ts";
import { proveObject } from "../catalog/bucket/prove-object.ts";
import { isDenied, isMissing, isUnsupported, s3Error } from "../catalog/bucket/s3-errors.ts";
import { putBytes } from "../catalog/bucket/upload-archive.ts";

const ATTEMPTS = 5;

type Seen = Omit<Finding, "check">;

/** The function that examines: what one needs, another does without. */
export type Examiner = "backup" | "cull" | "restore";

type Probe = {
  readonly what: string;
  /** The functions that fail without it; for the others of `tries` it is worth a warning. */
  readonly needs: readonly Examiner[];
  readonly tries: readonly Examiner[];
  readonly ask: (place: Place) => Promise<unknown>;
};

type Place = { readonly bucket: Bucket; readonly key: string; readonly signal: AbortSignal };

const ALL: readonly Examiner[] = ["backup", "cull", "restore"];

/** In this order: what is sent is read before it is removed. */
const OBJECT: readonly Probe[] = [
  { what: "list", needs: ALL, tries: ALL, ask: list },
  // Cull and restore write manifests only: a mark on what the volume has lost, what a rehearsal proved.
  { what: "put", needs: ["backup"], tries: ALL, ask: send },
  { what: "head", needs: ALL, tries: ALL, ask: head },
  { what: "get", needs: ALL, tries: ALL, ask: prove },
  // The policy of the others is best without it; what they leave is one small object.
  { what: "delete", needs: ["cull"], tries: ["cull"], ask: remove },
];

const UPLOAD: readonly Probe[] = [
  { what: "list of uploads", needs: ["backup"], tries: ["backup"], ask: listUploads },
  { what: "multipart and abort", needs: ["backup"], tries: ["backup"], ask: beginAndAbort },
];

/** Does with a few bytes what the function does with the bucket. */
export function bucketCheck(settings: BucketSettings, examiner: Examiner): Check {
  return {
    name: "mirror",
    async run(signal) {
      const bucket = openBucket(settings);
      // One name for each function, which its policy lets it write: where nothing can be removed, one object stays.
      const place = { bucket, key: `${bucket.prefix}doctor-${examiner}.bak.json`, signal };
      try {
        return await toFindings(place, examiner);
      } finally {
        bucket.client.destroy();
      }
    },
  };
}

async function toFindings(place: Place, examiner: Examiner): Promise<readonly Seen[]> {
  const [object, upload] = await Promise.all([
    tried(place, OBJECT, examiner),
    tried(place, UPLOAD, examiner),
  ]);
  const refused = [...object.refused, ...upload.refused];
  const works = [...object.works, ...upload.works];
  const denied = refused.map(({ probe, error }): Seen => {
    const { message, hint } = asDormouseError(error);
    return { state: probe.needs.includes(examiner) ? "fault" : "warning", detail: message, fix: hint };
  });
  return works.length === 0
    ? denied
    : [good(`bucket ${place.bucket.name}: ${works.join(", ")} work`), ...denied];
}

type Tried = {
  readonly works: readonly string[];
  readonly refused: readonly { readonly probe: Probe; readonly error: unknown }[];
};

/** A right that is lacking says nothing of the next one; anything else is wrong with the store, and ends it. */
async function tried(place: Place, probes: readonly Probe[], examiner: Examiner): Promise<Tried> {
  const works: string[] = [];
  const refused: { probe: Probe; error: unknown }[] = [];
  for (const probe of probes.filter(({ tries }) => tries.includes(examiner))) {
    try {
      await probe.ask(place);
      works.push(probe.what);
    } catch (error) {
      const doing = `${probe.what} in bucket ${place.bucket.name}`;
      const failure = s3Error(error, doing, place.signal);
      if (!isDenied(findCause(error))) throw failure;
      refused.push({ probe, error: failure });
    }
  }
  return { works, refused };
}

function findCause(error: unknown): unknown {
  return error instanceof DormouseError ? error.cause : error;
}

async function list({ bucket, signal }: Place): Promise<void> {
  await listObjects(bucket, signal, "doctor-");
}

/** The same bytes from every function: two examinations at once do not mistake each other's for a fault. */
async function send({ bucket, key, signal }: Place): Promise<void> {
  await putBytes(bucket, key, Buffer.from(key), { signal });
}

/** Where it could not be sent it is missing, and that the store says so is enough. */
async function head({ bucket: { client, name }, key, signal }: Place): Promise<void> {
  try {
    await client.send(new HeadObjectCommand({ Bucket: name, Key: key }), { abortSignal: signal });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Another examination may remove it before it is read here; not time after time. */
async function prove(place: Place): Promise<void> {
  const { bucket, key, signal } = place;
  for (let attempt = 1; ; attempt++) {
    try {
      await proveObject(bucket, key, digestOfBytes(Buffer.from(key)), signal);
      return;
    } catch (error) {
      if (!isMissing(findCause(error)) || attempt === ATTEMPTS) throw await withRemoval(place, error);
    }
    try {
      await send(place);
    } catch (error) {
      // It may not be sent, so it is not there; what may be read has been asked.
      if (isDenied(error)) return;
      throw error;
    }
  }
}

/** Other bytes are a fault that ends the examination; they are not left behind. */
async function withRemoval(place: Place, error: unknown): Promise<unknown> {
  await remove(place).catch(() => undefined);
  return error;
}

async function remove({ bucket: { client, name }, key, signal }: Place): Promise<void> {
  await client.send(new DeleteObjectCommand({ Bucket: name, Key: key }), { abortSignal: signal });
}

/** A store may have no such call: then each upload begins anew. */
async function listUploads({ bucket: { client, name, prefix }, signal }: Place): Promise<void> {
  try {
    const command = new ListMultipartUploadsCommand({ Bucket: name, Prefix: prefix });
    await client.send(command, { abortSignal: signal });
  } catch (error) {
    if (!isMissing(error) && !isUnsupported(error)) throw error;
  }
}

async function beginAndAbort({ bucket, key, signal }: Place): Promise<void> {
  const object = { Bucket: bucket.name, Key: key };
  const begin = new CreateMultipartUploadCommand({ ...object, ...bucket.attributes });
  const { UploadId } = await bucket.client.send(begin, { abortSignal: signal });
  const upload = { ...object, UploadId };
  try {
    await unlessUnsupported(bucket.client.send(new ListPartsCommand(upload), { abortSignal: signal }));
  } finally {
    await unlessUnsupported(
      bucket.client.send(new AbortMultipartUploadCommand(upload), { abortSignal: signal }),
    );
  }
}

async function unlessUnsupported(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  }
}
