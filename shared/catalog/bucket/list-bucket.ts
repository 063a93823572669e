import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import type { ArchiveName } from "../archive-name.ts";
import type { Backup } from "../backup.ts";
import type { CatalogListing } from "../catalog.ts";
import {
  classifyBackup,
  classifyName,
  listingOf,
  MAX_MANIFEST_BYTES,
  tooLarge,
  type Classified,
} from "../classify.ts";
import { silentBucket } from "./silent-bucket.ts";
import { DormouseError } from "../../errors.ts";
import type { Bucket } from "./bucket.ts";
import { readObject } from "./read-object.ts";
import { isGone, s3Error } from "./s3-errors.ts";
import { within, sideBySide } from "../../waiting.ts";

const AT_ONCE = 8;

/** Every page and every manifest, or an error. */
export async function listBucket(
  bucket: Bucket,
  signal: AbortSignal,
  answerWithinMs?: number,
): Promise<CatalogListing> {
  try {
    const sizes = await listSizes(bucket, signal, "", answerWithinMs);
    const paths = [...sizes.keys()];
    const found = await sideBySide(paths, AT_ONCE, (path) => classify(bucket, path, sizes, signal));
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
    const sizes = await listSizes(bucket, signal, name);
    if (!sizes.has(name) || !sizes.has(`${name}.json`)) return undefined;
    const found = await readBackup(bucket, name, sizes, signal);
    return found !== undefined && "backup" in found ? found.backup : undefined;
  } catch (error) {
    throw s3Error(error, `looking for ${name}`, signal);
  }
}

/**
 * Names relative to the prefix, with their sizes; those that begin with `start`. The limit is for the first page, which
 * is asked for as any other: what a smaller question would be answered, says nothing of this one.
 */
export async function listSizes(
  bucket: Bucket,
  signal: AbortSignal,
  start = "",
  answerWithinMs?: number,
): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  const prefix = bucket.prefix + start;
  let token: string | undefined;
  do {
    const ask = listPage(bucket, prefix, token);
    const isFirst = token === undefined && answerWithinMs !== undefined;
    const page = isFirst ? await within(answerWithinMs, signal, ask, silentBucket) : await ask(signal);
    for (const { Key = "", Size = 0 } of page.Contents ?? []) {
      if (!Key.startsWith(prefix)) throw otherList(bucket, Key);
      sizes.set(Key.slice(bucket.prefix.length), Size);
    }
    token = nextToken(bucket, page, token);
  } while (token !== undefined);
  return sizes;
}

function listPage({ client, name }: Bucket, prefix: string, token: string | undefined) {
  const command = new ListObjectsV2Command({ Bucket: name, Prefix: prefix, ContinuationToken: token });
  return async (signal: AbortSignal): Promise<ListObjectsV2CommandOutput> =>
    client.send(command, { abortSignal: signal });
}

/** A store that ends a page without saying where the next begins, or says the same again, gives no complete list. */
function nextToken(
  bucket: Bucket,
  { IsTruncated, NextContinuationToken: next }: ListObjectsV2CommandOutput,
  last: string | undefined,
): string | undefined {
  if (IsTruncated !== true) return undefined;
  if (next !== undefined && next !== last) return next;
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
  bucket: Bucket,
  path: string,
  sizes: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<Classified | undefined> {
  const named = classifyName(path, (other) => sizes.has(other));
  if (named === undefined || "foreign" in named) return named;
  if ("whole" in named) return readBackup(bucket, named.whole.name, sizes, signal);
  return {
    foreign: { path, reason: "archive_without_manifest", detail: "was sent in part, or half removed" },
  };
}

async function readBackup(
  bucket: Bucket,
  name: ArchiveName,
  sizes: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<Classified | undefined> {
  const path = `${name}.json`;
  if ((sizes.get(path) ?? 0) > MAX_MANIFEST_BYTES) return tooLarge(name);
  const manifest = await readManifest(bucket, path, signal);
  // Removed since the pages were read.
  return manifest && classifyBackup(name, sizes.get(name), manifest);
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
