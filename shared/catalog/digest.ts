import { createHash } from "node:crypto";
import { DormouseError } from "../errors.ts";

export type Digest = { readonly sizeBytes: number; readonly sha256: string };

export function isSame(a: Digest, b: Digest): boolean {
  return a.sha256 === b.sha256 && a.sizeBytes === b.sizeBytes;
}

/** Throws `archive_damaged` unless those are the bytes that the manifest describes. */
export function assertDescribed(name: string, found: Digest, described: Digest | undefined): void {
  if (described === undefined || !isSame(found, described)) throw otherThanDescribed(name);
}

export function otherThanDescribed(name: string): DormouseError {
  return new DormouseError(
    "archive_damaged",
    `${name} is not what its manifest describes: the hash differs`,
    { hint: "take its copy in the other place, or another backup, and distrust the storage" },
  );
}

/** Passes `source` through; `digest` is that of what has passed so far. */
export function hashing(source: AsyncIterable<Uint8Array>) {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  }
  return { bytes: bytes(), digest: (): Digest => ({ sizeBytes, sha256: hash.copy().digest("hex") }) };
}

export function digestOfBytes(bytes: Uint8Array): Digest {
  return { sizeBytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
