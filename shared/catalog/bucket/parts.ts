/** One piece of an archive. `bytes` is on loan: `release` gives its memory to the next piece. */
export type Part = { readonly number: number; readonly bytes: Buffer; readonly release: () => void };

const MEBIBYTE = 1 << 20;
/** S3's own limits: at least 5 MiB for each part but the last, and at most ten thousand parts. */
const PART_BYTES = 8 * MEBIBYTE;
const MAX_PARTS = 10_000;
const MEMORY_BYTES = 16 * MEBIBYTE;

export function partBytesFor(sizeBytes: number): number {
  return Math.max(PART_BYTES, Math.ceil(sizeBytes / MAX_PARTS / MEBIBYTE) * MEBIBYTE);
}

/** How many parts are in memory, and on their way, at once. */
export function parallelFor(partBytes: number): number {
  return Math.max(1, Math.floor(MEMORY_BYTES / partBytes));
}

/** Cuts `source` into parts of one size, in a fixed number of buffers: a slow sender makes the reading wait. */
export async function* partsOf(
  source: AsyncIterable<Uint8Array>,
  partBytes: number,
  pool: BufferPool,
): AsyncGenerator<Part> {
  let number = 0;
  let used = 0;
  let buffer: Buffer | undefined;
  const emit = (full: Buffer): Part => {
    number += 1;
    const part = { number, bytes: full.subarray(0, used), release: () => pool.give(full) };
    used = 0;
    buffer = undefined;
    return part;
  };
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      buffer ??= await pool.take();
      const length = Math.min(partBytes - used, chunk.length - at);
      buffer.set(chunk.subarray(at, at + length), used);
      used += length;
      at += length;
      if (used === partBytes) yield emit(buffer);
    }
  }
  // An empty archive is one empty part.
  if (buffer !== undefined || number === 0) yield emit(buffer ?? (await pool.take()));
}

type BufferPool = {
  /** Waits until one is free; throws the reason when `end` was called. */
  take(): Promise<Buffer>;
  give(buffer: Buffer): void;
  end(reason: unknown): void;
  /** Gives back the memory of free buffers; what is taken later is new. */
  free(): void;
};

export function bufferPool(count: number, bytes: number): BufferPool {
  const free: Buffer[] = [];
  const waiting: PromiseWithResolvers<Buffer>[] = [];
  let made = 0;
  let ended: { readonly reason: unknown } | undefined;
  return {
    async take() {
      if (ended !== undefined) throw ended.reason;
      const buffer = free.pop();
      if (buffer !== undefined) return buffer;
      if (made < count) {
        made += 1;
        return Buffer.allocUnsafeSlow(bytes);
      }
      const next = Promise.withResolvers<Buffer>();
      waiting.push(next);
      return next.promise;
    },
    give(buffer) {
      const next = waiting.shift();
      if (next === undefined) free.push(buffer);
      else next.resolve(buffer);
    },
    free() {
      made -= free.length;
      free.splice(0).forEach(releaseBuffer);
    },
    end(reason) {
      ended = { reason };
      for (const next of waiting.splice(0)) next.reject(reason);
    },
  };
}

/**
 * Gives memory back at once that will not be read again. It lies outside of the heap, and too little comes to lie
 * inside for the collector to run: gigabytes that pass by leave dozens of megabytes until then. What is only a part of
 * its ArrayBuffer stays: the rest may be another's.
 */
export function releaseBuffer(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0);
}
