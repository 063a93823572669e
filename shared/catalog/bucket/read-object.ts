import type { Readable } from "node:stream";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { hashing, type Digest } from "../digest.ts";
import { DormouseError } from "../../errors.ts";
import type { Bucket } from "./bucket.ts";
import { releaseBuffer } from "./parts.ts";
import { s3Error } from "./s3-errors.ts";

/** In a row, each without a single byte. */
const ATTEMPTS = 4;

/**
 * An object from `fromByte` on. A connection that breaks or falls silent is followed by another one that begins where
 * it ended, on the same object (If-Match).
 */
export async function* readObject(
  bucket: Bucket,
  key: string,
  fromByte: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const place = { at: fromByte, failed: 0, etag: undefined as string | undefined };
  while (true) {
    try {
      const { body, etag } = await request(bucket, key, place, signal);
      place.etag ??= etag;
      for await (const chunk of body) {
        place.at += chunk.length;
        place.failed = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      // The bytes did not break off, they are others: to ask for the rest helps nothing.
      if (isOtherBytes(error)) throw unequal(key, error);
      place.failed += 1;
      // An answer, even a bad one, has been tried again by the SDK; what it does not see is a body that breaks.
      const isBroken = (error as { $metadata?: unknown }).$metadata === undefined;
      if (signal.aborted || !isBroken || place.failed >= ATTEMPTS)
        throw s3Error(error, `reading ${key}`, signal);
    }
  }
}

/** The SDK's word, after the last byte, that they do not hash to the checksum that the store gave with them. */
function isOtherBytes(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Checksum mismatch");
}

function unequal(key: string, cause: unknown): DormouseError {
  return new DormouseError(
    "mirror_checksum_mismatch",
    `the store gives other bytes for ${key} than it has a checksum of`,
    {
      hint: "do not trust this store, or what lies between, before it is mended",
      cause,
    },
  );
}

type Place = { readonly at: number; readonly etag: string | undefined };

async function request(bucket: Bucket, key: string, { at, etag }: Place, signal: AbortSignal) {
  const answer = await bucket.client.send(
    new GetObjectCommand({
      Bucket: bucket.name,
      Key: key,
      ...(at === 0 ? {} : { Range: `bytes=${at}-` }),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    }),
    { abortSignal: signal },
  );
  // Some stores ignore Range and answer 200 with the whole.
  const skip = at > 0 && answer.ContentRange === undefined ? at : 0;
  const stream = answer.Body as Readable;
  return {
    body: whole(stream, { skip, length: answer.ContentLength, stallMs: bucket.stallMs }, signal),
    etag: answer.ETag,
  };
}

type Expected = { readonly skip: number; readonly length: number | undefined; readonly stallMs: number };

/** Throws when the body falls silent or ends before the length that its header promised. */
async function* whole(stream: Readable, expected: Expected, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  // Time that the reader takes is not the store's.
  let isRead = false;
  const silence = setTimeout(() => {
    if (isRead) silence.refresh();
    else stream.destroy(new Error("the store fell silent"));
  }, expected.stallMs);
  const abort = () => stream.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  let read = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const rest = chunk.subarray(Math.min(chunk.length, Math.max(0, expected.skip - read)));
      read += chunk.length;
      isRead = true;
      if (rest.length > 0) yield rest;
      isRead = false;
      silence.refresh();
    }
    if (expected.length !== undefined && read < expected.length) throw new Error("the answer ended early");
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", abort);
    stream.destroy();
  }
}

/** What the bucket gives back, to the last byte. */
export async function digestObject(bucket: Bucket, key: string, signal: AbortSignal): Promise<Digest> {
  const { bytes, digest } = hashing(readObject(bucket, key, 0, signal));
  for await (const chunk of bytes) releaseBuffer(chunk);
  return digest();
}
