import { createHash } from "node:crypto";
import { join } from "node:path";
import * as z from "zod";
import * as promises from "./volume-calls.ts";
import { replaceFile } from "./write-durably.ts";

const pageSchema = z.object({ formatVersion: z.literal(1), manifests: z.record(z.string(), z.string()) });

/** Manifests as they were last read of a bucket, by their paths in it. */
export type KnownManifests = {
  read(): Promise<ReadonlyMap<string, string>>;
  /** It saves asking for them again and is needed for nothing else: what cannot be written is not. */
  keep(manifests: ReadonlyMap<string, string>): Promise<void>;
};

export const NONE_KNOWN: KnownManifests = { read: async () => new Map(), keep: async () => {} };

/** On the volume, since nothing else outlives the pod. It is believed in nothing: see `isStored`. */
export function knownManifests(backupDir: string): KnownManifests {
  const path = join(backupDir, ".dormouse", "bucket.json");
  return {
    async read() {
      try {
        const page = pageSchema.parse(JSON.parse(await promises.readFile(path, "utf8")));
        return new Map(Object.entries(page.manifests));
      } catch {
        return new Map();
      }
    },
    async keep(manifests) {
      const text = JSON.stringify({ formatVersion: 1, manifests: Object.fromEntries(manifests) });
      const writing = { writer: "bucket", what: ".dormouse/bucket.json" };
      await replaceFile(promises, path, text, writing).catch(() => undefined);
    },
  };
}

/**
 * Whether these are the bytes that a store lists: of an object sent as one its ETag is the MD5, unless the store encrypts by
 * a key of its KMS. Then, or where MD5 is forbidden (FIPS), it is asked for the object.
 */
export function isStored(
  text: string,
  { sizeBytes, etag }: { sizeBytes: number; etag?: string | undefined },
): boolean {
  if (etag === undefined || Buffer.byteLength(text) !== sizeBytes) return false;
  try {
    return createHash("md5").update(text).digest("hex") === etag.replaceAll('"', "");
  } catch {
    return false;
  }
}
