import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

export type Digest = { readonly sizeBytes: number; readonly sha256: string };

const READ_BYTES = 1 << 20;

/** Writes all of `source` to `file` and tells what was written; each chunk is on its way before the next is asked for. */
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

/** Reads a file from its beginning through one buffer. */
export async function digestOf(file: FileHandle, signal: AbortSignal): Promise<Digest> {
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
