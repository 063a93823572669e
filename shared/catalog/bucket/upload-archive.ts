import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type CompleteMultipartUploadCommandInput,
} from "@aws-sdk/client-s3";
import type { Backup } from "../backup.ts";
import { assertDescribed, digestOfBytes, hashing, otherThanDescribed } from "../digest.ts";
import { asDormouseError } from "../../errors.ts";
import type { Bucket } from "./bucket.ts";
import { bufferPool, parallelFor, partBytesFor, partsOf, type Part } from "./parts.ts";
import { hasSize } from "./prove-object.ts";
import { mayHaveSucceeded, s3Error } from "./s3-errors.ts";
import { findUpload, type BegunUpload } from "./uploads.ts";

type Sent = {
  readonly backup: Backup;
  /** Not called before the archive is read: once opened it must be read, or it stays open. */
  readonly open: () => Promise<AsyncIterable<Uint8Array>>;
};

/**
 * Sends a finished archive, and answers with the checksum that the store must have, if it was asked to keep one. In one
 * request if it is small, else in parts of fixed length, a few at once. It is read once, in order, and hashed on the way;
 * the object becomes visible only if the hash is the manifest's.
 */
export async function uploadArchive(
  bucket: Bucket,
  key: string,
  sent: Sent,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { backup } = sent;
  const partBytes = partBytesFor(backup.sizeBytes);
  try {
    const upload = { bucket, key, ...sent, partBytes, signal };
    return backup.sizeBytes <= partBytes ? await putWhole(upload) : await putInParts(upload);
  } catch (error) {
    throw s3Error(error, `sending ${backup.name}`, signal);
  }
}

type Upload = Sent & {
  readonly bucket: Bucket;
  readonly key: string;
  readonly partBytes: number;
  readonly signal: AbortSignal;
};

async function putWhole(upload: Upload): Promise<string | undefined> {
  const { bucket, key, backup, open, signal } = upload;
  // One byte of room: an archive that grew must not look whole.
  const room = backup.sizeBytes + 1;
  for await (const { bytes } of partsOf(await open(), room, bufferPool(1, room))) {
    const found = digestOfBytes(bytes);
    // Rot must not be copied as if it were a backup.
    assertDescribed(backup.name, found, backup.manifest.archive);
    await putBytes(bucket, key, bytes, { signal });
    return bucket.attributes.ChecksumAlgorithm && Buffer.from(found.sha256, "hex").toString("base64");
  }
  throw otherThanDescribed(backup.name);
}

/** A buffer of known length, never a stream: streams are framed, and some stores keep the frames as content. */
export async function putBytes(
  bucket: Bucket,
  key: string,
  bytes: Buffer,
  { signal, ifMatch }: { readonly signal: AbortSignal; readonly ifMatch?: string | undefined },
): Promise<void> {
  await bucket.client.send(
    new PutObjectCommand({
      Bucket: bucket.name,
      Key: key,
      Body: bytes,
      ContentLength: bytes.length,
      ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
      ...bucket.attributes,
    }),
    { abortSignal: signal },
  );
}

async function putInParts(upload: Upload): Promise<string | undefined> {
  const { bucket, key, backup, signal } = upload;
  const found = await findUpload(bucket, key, signal);
  const begun = found.begun ?? (await begin(upload));
  const inBucket = { Bucket: bucket.name, Key: key, UploadId: begun.id };
  try {
    const parts = await sendParts(upload, begun);
    await complete(upload, { ...inBucket, MultipartUpload: { Parts: parts } });
    return hashParts(parts);
  } catch (error) {
    const { code } = asDormouseError(s3Error(error, `sending ${backup.name}`, signal));
    const goesOn = found.canList && (signal.aborted || code === "mirror_unreachable");
    // What fails here must not hide why it was needed.
    if (!goesOn) await bucket.client.send(new AbortMultipartUploadCommand(inBucket)).catch(() => undefined);
    throw error;
  }
}

/** Where the answer is lost, as by a proxy that waits less long than the store takes, the object itself is the answer. */
async function complete(upload: Upload, input: CompleteMultipartUploadCommandInput): Promise<void> {
  const { bucket, key, backup, signal } = upload;
  const client = bucket.patientClient();
  try {
    await client.send(new CompleteMultipartUploadCommand(input), { abortSignal: signal });
  } catch (error) {
    if (!mayHaveSucceeded(error) || !(await hasSize(bucket, key, backup.sizeBytes, signal))) throw error;
  } finally {
    client.destroy();
  }
}

async function begin({ bucket, key, signal }: Upload): Promise<BegunUpload> {
  const { UploadId = "" } = await bucket.client.send(
    new CreateMultipartUploadCommand({ Bucket: bucket.name, Key: key, ...bucket.attributes }),
    { abortSignal: signal },
  );
  return { id: UploadId, parts: new Map() };
}

async function sendParts(upload: Upload, begun: BegunUpload): Promise<CompletedPart[]> {
  const { backup, open, partBytes, signal } = upload;
  const failure = new AbortController();
  const pool = bufferPool(parallelFor(partBytes), partBytes);
  const either = AbortSignal.any([signal, failure.signal]);
  const source = hashing(await open());
  const sending: Promise<CompletedPart>[] = [];
  const fail = (error: unknown) => {
    failure.abort(error);
    pool.end(error);
  };
  try {
    for await (const part of partsOf(source.bytes, partBytes, pool)) {
      either.throwIfAborted();
      const sent = sendPart({ ...upload, signal: either }, begun, part).finally(part.release);
      sent.catch(fail);
      sending.push(sent);
    }
    assertDescribed(backup.name, source.digest(), backup.manifest.archive);
    const sent = await Promise.all(sending);
    pool.free();
    return sent;
  } catch (error) {
    fail(error);
    await Promise.allSettled(sending);
    throw failure.signal.reason;
  }
}

async function sendPart(
  { bucket, key, signal }: Upload,
  begun: BegunUpload,
  { number, bytes }: Part,
): Promise<CompletedPart> {
  const { ChecksumAlgorithm } = bucket.attributes;
  const known = begun.parts.get(number);
  const isThere = known?.Size === bytes.length && known.ETag === md5Tag(bytes);
  const sent = isThere
    ? known
    : await bucket.client.send(
        new UploadPartCommand({
          Bucket: bucket.name,
          Key: key,
          UploadId: begun.id,
          PartNumber: number,
          Body: bytes,
          ContentLength: bytes.length,
          ...(ChecksumAlgorithm === undefined ? {} : { ChecksumAlgorithm }),
        }),
        { abortSignal: signal },
      );
  // Ours, not the store's word: what it says is compared with this.
  const ChecksumSHA256 = ChecksumAlgorithm && createHash("sha256").update(bytes).digest("base64");
  return { PartNumber: number, ETag: sent.ETag, ...(ChecksumSHA256 === undefined ? {} : { ChecksumSHA256 }) };
}

/** Only a guess at what is there, which saves sending it again: the proof is the whole object's hash. */
function md5Tag(bytes: Buffer): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

/** S3's checksum of an object in parts: the hash of the parts' hashes, and their number. */
function hashParts(parts: readonly CompletedPart[]): string | undefined {
  const hash = createHash("sha256");
  for (const { ChecksumSHA256 } of parts) {
    if (ChecksumSHA256 === undefined) return undefined;
    hash.update(Buffer.from(ChecksumSHA256, "base64"));
  }
  return `${hash.digest("base64")}-${parts.length}`;
}
