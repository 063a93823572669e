import { problemFrom, type Problem } from "../errors.ts";
import { newestFirst, type Backup } from "./backup.ts";
import type { Catalog, CatalogListing, ForeignEntry } from "./catalog.ts";
import { withTimeout } from "../waiting.ts";
import { ANSWER_MS, silentBucket } from "./bucket/silent-bucket.ts";

export type Place = "volume" | "bucket";
export type PlacedBackup = Backup & { readonly places: readonly Place[] };

export type PlacedListing = Omit<CatalogListing, "backups" | "foreign"> & {
  readonly backups: readonly PlacedBackup[];
  readonly foreign: readonly (ForeignEntry & { readonly place: Place })[];
  /** Why the bucket is not part of it. */
  readonly bucketProblem?: Problem | undefined;
};

/** The backups of both places, for a caller that reads them or marks one. */
export type MergedCatalog = Pick<Catalog, "list" | "find" | "mark">;

/**
 * Of two backups with one name and other content the volume's counts, since nothing
 * of the bucket ever replaces it; the bucket's is reported.
 */
export function inBothPlaces(volume: CatalogListing, bucket: CatalogListing | undefined): PlacedListing {
  const mirrored = new Map((bucket?.backups ?? []).map((backup) => [backup.name, backup]));
  const local = new Set(volume.backups.map(({ name }) => name));
  const foreign = [...placed(volume, "volume"), ...placed(bucket, "bucket")];
  const backups = volume.backups.map((backup): PlacedBackup => {
    const other = mirrored.get(backup.name);
    if (other?.manifest.archive.sha256 === backup.manifest.archive.sha256)
      return { ...backup, places: ["volume", "bucket"] };
    if (other !== undefined) foreign.push(conflict(other));
    return { ...backup, places: ["volume"] };
  });
  for (const backup of mirrored.values())
    if (!local.has(backup.name)) backups.push({ ...backup, places: ["bucket"] });
  return { backups: backups.toSorted(newestFirst), legacy: volume.legacy, foreign };
}

function placed(
  listing: CatalogListing | undefined,
  place: Place,
): (ForeignEntry & { readonly place: Place })[] {
  return (listing?.foreign ?? []).map((entry) => ({ ...entry, place }));
}

function conflict({ name }: Backup): ForeignEntry & { readonly place: Place } {
  const detail = "is another backup than the volume has under this name";
  return { path: name, reason: "archive_size_differs", detail, place: "bucket" };
}

/** For all of a bucket, by callers that can do without it: within the time in which a caller gets the catalog. */
const WHOLE_MS = 45_000;
/** For one backup that only the bucket has. */
const ONE_MS = 60_000;

/**
 * For readers. A bucket that cannot be listed is no reason to refuse what the volume has, and is reported in the
 * listing; where the volume has nothing, it is the error.
 */
export function mergedCatalog(volume: Catalog, bucket: Catalog): MergedCatalog {
  return {
    async list(signal): Promise<PlacedListing> {
      const local = await volume.list(signal);
      const isEmpty = local.backups.length === 0 && local.legacy.length === 0;
      if (isEmpty) return inBothPlaces(local, await bucket.list(signal));
      try {
        const ask = (limited: AbortSignal) => bucket.list(limited, ANSWER_MS);
        return inBothPlaces(local, await withTimeout(WHOLE_MS, signal, ask, silentBucket));
      } catch (error) {
        if (signal.aborted) throw error;
        return { ...inBothPlaces(local, undefined), bucketProblem: problemFrom(error) };
      }
    },
    find: async (name, signal) =>
      (await volume.find(name, signal)) ??
      withTimeout(ONE_MS, signal, (limited) => bucket.find(name, limited), silentBucket),
    async mark(name, change, signal) {
      // The next backup run sends a manifest that changed on the volume; what only the bucket has is changed there.
      if ((await volume.find(name, signal)) !== undefined) return volume.mark(name, change, signal);
      return withTimeout(ONE_MS, signal, (limited) => bucket.mark(name, change, limited), silentBucket);
    },
  };
}
