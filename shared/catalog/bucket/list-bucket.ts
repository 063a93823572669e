import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import type { ArchiveName } from "../archive-name.ts";
import type { Backup } from "../backup.ts";
import type { CatalogListing } from "../catalog.ts";
import {
  classifyBackup,
  classifyName,
  keepingOnce,
  listingOf,
  MAX_MANIFEST_BYTES,
  tooLarge,
  type Classified,
} from "../classify.ts";
import { isStored, type KnownManifests } from "../volume/known-manifests.ts";
import { silentBucket } from "./silent-bucket.ts";
import { DormouseError } from "../../errors.ts";
import type { Bucket } from "./bucket.ts";
import { readObject } from "./read-object.ts";
import { isGone, s3Error } from "./s3-errors.ts";
import { withTimeout, mapConcurrently } from "../../waiting.ts";

const AT_ONCE = 8;

/** Every page and every manifest, or an error; the store is asked for those manifests that are not known as it lists them. */
export async function listBucket(
  bucket: Bucket,
  known: KnownManifests,
  signal: AbortSignal,
  answerWithinMs?: number,
): Promise<CatalogListing> {
  try {
    const objects = await listObjects(bucket, signal, "", answerWithinMs);
    const manifests = await readingManifests(bucket, known, objects);
    const keepOnce = keepingOnce();
    const found = await mapConcurrently([...objects.keys()], AT_ONCE, async (path) => {
      const entry = await classify(path, objects, (name) =>
        readBackup(name, objects, () => manifests.read(`${name}.json`, signal)),
      );
      if (entry !== undefined) keepOnce(entry);
      return entry;
    });
    await manifests.keep();
    return listingOf(found.filter((entry) => entry !== undefined));
  } catch (error) {
    throw s3Error(error, `listing the bucket ${bucket.name}`, signal);
  }
}

/** One backup as it is now. */
export async function findInBucket(
  bucket: Bucket,
  name: ArchiveName,
  signal: AbortSignal,
): Promise<Backup | undefined> {
  try {
    const objects = await listObjects(bucket, signal, name);
    if (!objects.has(name) || !objects.has(`${name}.json`)) return undefined;
    const found = await readBackup(name, objects, () => readManifest(bucket, `${name}.json`, signal));
    return found !== undefined && "backup" in found ? found.backup : undefined;
  } catch (error) {
    throw s3Error(error, `looking for ${name}`, signal);
  }
}

/** What a store lists of an object. */
type ListedObject = { readonly sizeBytes: number; readonly etag: string | undefined };
type Objects = ReadonlyMap<string, ListedObject>;

/**
 * By their names relative to the prefix; those that begin with `start`. The limit is for the first page, which
 * is asked for as any other: what a smaller question would be answered, says nothing of this one.
 */
export async function listObjects(
  bucket: Bucket,
  signal: AbortSignal,
  start = "",
  answerWithinMs?: number,
): Promise<Objects> {
  const objects = new Map<string, ListedObject>();
  const prefix = bucket.prefix + start;
  const tokens = new Set<string>();
  let token: string | undefined;
  do {
    const ask = listPage(bucket, prefix, token);
    const isFirst = token === undefined && answerWithinMs !== undefined;
    const page = isFirst ? await withTimeout(answerWithinMs, signal, ask, silentBucket) : await ask(signal);
    for (const { Key = "", Size = 0, ETag } of page.Contents ?? []) {
      if (!Key.startsWith(prefix)) throw otherList(bucket, Key);
      objects.set(Key.slice(bucket.prefix.length), { sizeBytes: Size, etag: ETag });
    }
    token = nextToken(bucket, page, tokens);
  } while (token !== undefined);
  return objects;
}

function listPage({ client, name }: Bucket, prefix: string, token: string | undefined) {
  const command = new ListObjectsV2Command({ Bucket: name, Prefix: prefix, ContinuationToken: token });
  return async (signal: AbortSignal): Promise<ListObjectsV2CommandOutput> =>
    client.send(command, { abortSignal: signal });
}

/** A store that ends a page without saying where the next begins, or leads back to an earlier one, gives no complete list. */
function nextToken(
  bucket: Bucket,
  { IsTruncated, NextContinuationToken: next }: ListObjectsV2CommandOutput,
  before: Set<string>,
): string | undefined {
  if (IsTruncated !== true) return undefined;
  if (next !== undefined && !before.has(next)) {
    before.add(next);
    return next;
  }
  throw new DormouseError("mirror_unreachable", `the store ended the list of ${bucket.name} in the middle`, {
    hint: "nothing is culled while the list is incomplete; GET /doctor shows which requests the store answers",
  });
}

/** A cache that leaves out the query, or a store that knows no prefix, gives a list, and not the one that was asked for. */
function otherList({ name, prefix }: Bucket, key: string): DormouseError {
  const found = `${JSON.stringify(key)}, which does not begin with ${JSON.stringify(prefix)}`;
  return new DormouseError("mirror_unreachable", `the list of ${name} names ${found}`, {
    hint: "check AWS_ENDPOINT_URL_S3 and what lies between: something answers another question",
  });
}

async function classify(
  path: string,
  objects: Objects,
  read: (name: ArchiveName) => Promise<Classified | undefined>,
): Promise<Classified | undefined> {
  const named = classifyName(path, (other) => objects.has(other));
  if (named === undefined || "foreign" in named) return named;
  if ("whole" in named) return read(named.whole.name);
  return {
    foreign: { path, reason: "archive_without_manifest", detail: "was sent in part, or half removed" },
  };
}

async function readBackup(
  name: ArchiveName,
  objects: Objects,
  read: () => Promise<Buffer | undefined>,
): Promise<Classified | undefined> {
  if ((objects.get(`${name}.json`)?.sizeBytes ?? 0) > MAX_MANIFEST_BYTES) return tooLarge(name);
  const manifest = await read();
  // Removed since the pages were read.
  return manifest && classifyBackup(name, objects.get(name)?.sizeBytes, manifest);
}

/** Manifests of one listing, by the store or as they are known. */
async function readingManifests(bucket: Bucket, known: KnownManifests, objects: Objects) {
  const before = await known.read();
  const now = new Map<string, string>();
  return {
    async read(path: string, signal: AbortSignal): Promise<Buffer | undefined> {
      const [text, object] = [before.get(path), objects.get(path)];
      const isKnown = text !== undefined && object !== undefined && isStored(text, object);
      const manifest = isKnown ? Buffer.from(text) : await readManifest(bucket, path, signal);
      if (manifest !== undefined) now.set(path, isKnown ? text : manifest.toString("utf8"));
      return manifest;
    },
    keep: () => known.keep(now, before),
  };
}

async function readManifest(bucket: Bucket, path: string, signal: AbortSignal): Promise<Buffer | undefined> {
  try {
    const chunks = await Array.fromAsync(readObject(bucket, bucket.prefix + path, 0, signal));
    return Buffer.concat(chunks);
  } catch (error) {
    if (isGone((error as Error).cause)) return undefined;
    throw error;
  }
}
