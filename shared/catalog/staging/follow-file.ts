import type { FileHandle } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { readCode } from "../../errors.ts";
import type { WritingProcess } from "../catalog.ts";

const READ_BYTES = 1 << 20;
/** In which time the writer has written more than a small piece. */
const REST_MS = 10;
const SAMPLE = Buffer.from("dormouse");

/** Reads a file while it grows, to where it ends when its writer has ended. All pieces come in the same memory. */
export async function* followFile(
  file: FileHandle,
  writing: WritingProcess,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const memory = Buffer.allocUnsafeSlow(READ_BYTES);
  let hasEnded = false;
  const end = writing.ended.then(() => void (hasEnded = true));
  // It is thrown below, at the latest when the writer is waited for.
  end.catch(() => undefined);
  for (let at = 0; ;) {
    signal.throwIfAborted();
    // Asked before the read: what it wrote last is then there.
    const isLast = hasEnded;
    const { bytesRead } = await file.read(memory, 0, memory.length, at);
    at += bytesRead;
    if (bytesRead > 0) {
      writing.moved();
      yield memory.subarray(0, bytesRead);
    } else if (isLast) return;
    if (bytesRead < memory.length && !hasEnded) await Promise.race([end, pause(REST_MS)]);
  }
}

/**
 * Whether what is written to a file can be read at once, and its beginning be written anew: a mounted bucket, and FUSE that
 * writes through, may take a file only from its beginning to its end. The file is empty afterwards.
 */
export async function canFollow(file: FileHandle): Promise<boolean> {
  try {
    await file.write(SAMPLE, 0, SAMPLE.length, 0);
    await file.write(SAMPLE, 0, SAMPLE.length, SAMPLE.length);
    await file.write(Buffer.from(SAMPLE).reverse(), 0, SAMPLE.length, 0);
    const read = Buffer.alloc(3 * SAMPLE.length);
    const { bytesRead } = await file.read(read, 0, read.length, 0);
    await file.truncate(0);
    const expected = Buffer.concat([Buffer.from(SAMPLE).reverse(), SAMPLE]);
    return read.subarray(0, bytesRead).equals(expected) && (await file.stat()).size === 0;
  } catch (error) {
    if (REFUSALS.has(readCode(error))) return false;
    throw error;
  }
}

/** What such a file system answers. A full or broken one is no reason to try in another way. */
export const REFUSALS: ReadonlySet<string> = new Set([
  "EBADF",
  "EINVAL",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EPERM",
  "EACCES",
  "ESPIPE",
]);
