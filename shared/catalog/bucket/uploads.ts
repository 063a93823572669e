import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type MultipartUpload,
  type Part as SdkPart,
} from "@aws-sdk/client-s3";
import { mayBeOf, parseArchiveName } from "../archive-name.ts";
import type { KnownUploads } from "../catalog.ts";
import { DormouseError } from "../../errors.ts";
import type { Bucket } from "./bucket.ts";
import { isMissing, isUnsupported, s3Error } from "./s3-errors.ts";

const ABANDONED_MS = 7 * 86_400_000;

/** An upload in parts that has begun, and the parts that the store has of it. */
export type BegunUpload = {
  readonly id: string;
  readonly parts: ReadonlyMap<number, SdkPart>;
};

/** The last upload of `key` that was begun and not ended; and whether the store can list them. */
export async function findUpload(
  bucket: Bucket,
  key: string,
  signal: AbortSignal,
): Promise<{ readonly begun: BegunUpload | undefined; readonly canList: boolean }> {
  const uploads = await listUploads(bucket, key, signal);
  const begunMs = ({ Initiated }: MultipartUpload) => Initiated?.getTime() ?? 0;
  const id = uploads
    ?.filter(({ Key }) => Key === key)
    .toSorted((a, b) => begunMs(b) - begunMs(a))[0]?.UploadId;
  const parts = id === undefined ? undefined : await listParts(bucket, { key, id }, signal);
  const begun = id === undefined || parts === undefined ? undefined : { id, parts };
  return { begun, canList: uploads !== undefined };
}

/** Ends what `database` will not finish; parts of it would cost room for ever. */
export async function sweepUploads(
  bucket: Bucket,
  { database, wanted, over }: KnownUploads & { readonly database: string },
  signal: AbortSignal,
): Promise<number> {
  let ended = 0;
  try {
    for (const { Key = "", UploadId, Initiated } of (await listUploads(bucket, bucket.prefix, signal)) ??
      []) {
      const parts = parseArchiveName(Key.slice(bucket.prefix.length));
      if (parts === undefined || !mayBeOf(parts, database) || wanted.has(parts.name)) continue;
      if (!over.has(parts.name) && !isAbandoned(Initiated)) continue;
      await bucket.client.send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key, UploadId }), {
        abortSignal: signal,
      });
      ended += 1;
    }
    return ended;
  } catch (error) {
    throw s3Error(error, "ending abandoned uploads", signal);
  }
}

/** Another installation may share the prefix, and be in the middle of it. */
function isAbandoned(initiated: Date | undefined): boolean {
  return initiated !== undefined && initiated.getTime() < Date.now() - ABANDONED_MS;
}

type Marker = Readonly<Record<string, string | undefined>>;
type Listing<Entry> = {
  readonly entries: readonly Entry[] | undefined;
  /** Where the next page begins. */
  readonly next: Marker | undefined;
};

/** `undefined` where the store has no such call; then each upload begins anew, and a lifecycle rule clears up. */
async function everyPage<Entry>(
  page: (marker: Marker) => Promise<Listing<Entry>>,
): Promise<Entry[] | undefined> {
  const found: Entry[] = [];
  const asked = new Set<string>();
  try {
    for (let marker: Marker | undefined = {}; marker !== undefined;) {
      asked.add(JSON.stringify(marker));
      const { entries, next }: Listing<Entry> = await page(marker);
      found.push(...(entries ?? []));
      // One that leads back to an earlier page, or does not say where the next begins, would be asked for ever.
      if (next !== undefined && asked.has(JSON.stringify(next))) throw endlessList();
      marker = next;
    }
    return found;
  } catch (error) {
    if (isMissing(error) || isUnsupported(error)) return undefined;
    throw error;
  }
}

function endlessList(): DormouseError {
  return new DormouseError("mirror_unreachable", "the store ended a list of uploads in the middle", {
    hint: "look at the store: it says that there is more, and leads to no page of it",
  });
}

async function listUploads(bucket: Bucket, prefix: string, signal: AbortSignal) {
  return everyPage<MultipartUpload>(async (marker) => {
    const answer = await bucket.client.send(
      new ListMultipartUploadsCommand({ Bucket: bucket.name, Prefix: prefix, ...marker }),
      { abortSignal: signal },
    );
    const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = answer;
    return { entries: answer.Uploads, next: IsTruncated ? { KeyMarker, UploadIdMarker } : undefined };
  });
}

async function listParts(
  bucket: Bucket,
  { key, id }: { readonly key: string; readonly id: string },
  signal: AbortSignal,
): Promise<ReadonlyMap<number, SdkPart> | undefined> {
  const parts = await everyPage<SdkPart>(async (marker) => {
    const answer = await bucket.client.send(
      new ListPartsCommand({ Bucket: bucket.name, Key: key, UploadId: id, ...marker }),
      { abortSignal: signal },
    );
    const { IsTruncated, NextPartNumberMarker: PartNumberMarker } = answer;
    return { entries: answer.Parts, next: IsTruncated ? { PartNumberMarker } : undefined };
  });
  return parts && new Map(parts.map((part) => [part.PartNumber ?? 0, part]));
}
