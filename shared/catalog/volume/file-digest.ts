import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { Digest } from "../digest.ts";

const READ_BYTES = 1 << 20;
const PIECE_BYTES = 1 << 18;

/** Writes all of `source` to `file` and returns what was written; each chunk is on its way before the next is asked for. */
export async function writeAll(
  file: FileHandle,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Digest> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of source) {
    signal.throwIfAborted();
    const written = writeWhole(file, chunk);
    hash.update(chunk);
    await written;
    sizeBytes += chunk.length;
  }
  signal.throwIfAborted();
  return { sizeBytes, sha256: hash.digest("hex") };
}

/** write(2) may take only a part, and says so only by its count. */
async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, at);
    at += bytesWritten;
  }
}

/** A file from its beginning, in pieces that are the reader's to keep; it stays open, and several may read it. */
export async function* toBytes(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

/** Reads a file from its beginning through one buffer. */
export async function readDigest(file: FileHandle, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let sizeBytes = 0; ;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, sizeBytes);
    if (bytesRead === 0) return { sizeBytes, sha256: hash.digest("hex") };
    hash.update(buffer.subarray(0, bytesRead));
    sizeBytes += bytesRead;
  }
}
