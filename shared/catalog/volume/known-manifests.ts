import { createHash } from "node:crypto";
import { join } from "node:path";
import * as z from "zod";
import { removeIfThere } from "./files.ts";
import { readWhole } from "./open-regular.ts";
import * as promises from "./volume-calls.ts";
import { replaceFile } from "./write-durably.ts";

const pageSchema = z.object({ formatVersion: z.literal(1), manifests: z.record(z.string(), z.string()) });

/** Manifests as they were last read of a bucket, by their paths in it. */
type Manifests = ReadonlyMap<string, string>;

export type KnownManifests = {
  read(): Promise<Manifests>;
  /** It saves asking for them again and is needed for nothing else: what cannot be written is not. */
  keep(now: Manifests, before: Manifests): Promise<void>;
};

export const NONE_KNOWN: KnownManifests = { read: async () => new Map(), keep: async () => {} };

/**
 * On the volume, since nothing else outlives the pod; a page for each month, of which most never change again. They are
 * believed in nothing: see `isStored`.
 */
export function knownManifests(backupDir: string): KnownManifests {
  const folder = join(backupDir, ".dormouse");
  return {
    async read() {
      const names = (await promises.readdir(folder).catch(() => [])).filter((name) => IS_PAGE.test(name));
      return new Map((await Promise.all(names.map((name) => readPage(join(folder, name))))).flat());
    },
    async keep(now, before) {
      const [all, old] = [byMonth(now), byMonth(before)];
      for (const month of new Set([...old.keys(), ...all.keys()])) {
        const [page, last] = [all.get(month) ?? [], old.get(month) ?? []];
        const isSame = page.length === last.length && page.every(([path, text]) => before.get(path) === text);
        const path = join(folder, `bucket-${month}.json`);
        if (!isSame) await writePage(path, page).catch(() => undefined);
      }
    },
  };
}

const IS_PAGE = /^bucket-\d{4}-\d{2}\.json$/;
/** Of the day, which may lie in a folder of backup-container. */
const MONTH = /\d{4}-\d{2}/;

type Page = readonly (readonly [path: string, text: string])[];

function byMonth(manifests: Manifests): ReadonlyMap<string, Page> {
  return Map.groupBy(manifests, ([path]) => MONTH.exec(path)?.[0] ?? "");
}

async function readPage(path: string): Promise<[string, string][]> {
  try {
    const page = pageSchema.parse(JSON.parse((await readWhole(promises, path)) ?? ""));
    return Object.entries(page.manifests);
  } catch {
    return [];
  }
}

async function writePage(path: string, page: Page): Promise<void> {
  if (page.length === 0) return void (await removeIfThere(promises, path));
  const text = JSON.stringify({ formatVersion: 1, manifests: Object.fromEntries(page) });
  await replaceFile(promises, path, text, { writer: "bucket", what: "what is known of the bucket" });
}

type Listed = { readonly sizeBytes: number; readonly etag: string | undefined };

/**
 * Whether these are the bytes that a store lists: of an object that was sent as one its ETag is the MD5, unless the store
 * encrypts by a key of its KMS. Then, or where MD5 is forbidden (FIPS), it is asked for the object.
 */
export function isStored(text: string, { sizeBytes, etag }: Listed): boolean {
  if (etag === undefined || Buffer.byteLength(text) !== sizeBytes) return false;
  try {
    return createHash("md5").update(text).digest("hex") === etag.replaceAll('"', "");
  } catch {
    return false;
  }
}
