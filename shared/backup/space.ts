import type { Backup } from "../catalog/backup.ts";
import type { Space } from "../catalog/catalog.ts";

/** Kept free for manifests, run records and a file system's own needs. */
const RESERVE_BYTES = 16 << 20;
const RESERVE_INODES = 16;
/** A dump has been seen at a tenth to ten times the database's size; a first one is refused only when it is hopeless. */
const FIRST_RATIO = 0.1;
const GROWTH = 1.5;

type SpaceEstimate = { readonly neededBytes: number; readonly isEnough: boolean };

type Last = { readonly sizeBytes: number; readonly databaseBytes: number };

/** What the next archive is estimated by. */
export function lastOf({ sizeBytes, manifest }: Backup): Last {
  return { sizeBytes, databaseBytes: manifest.content.databaseBytes };
}

/** The last archive, scaled with the database. */
export function archiveBytesExpected(databaseBytes: number, last: Last): number | undefined {
  if (last.databaseBytes === 0) return undefined;
  return Math.round(last.sizeBytes * (databaseBytes / last.databaseBytes));
}

/** What the next archive may need: half as much again as the last one, scaled with the database. */
export function estimateSpace(databaseBytes: number, last: Last | undefined, space: Space): SpaceEstimate {
  const expected =
    last === undefined || last.databaseBytes === 0
      ? databaseBytes * FIRST_RATIO
      : last.sizeBytes * GROWTH * Math.max(1, databaseBytes / last.databaseBytes);
  const neededBytes = Math.ceil(expected) + RESERVE_BYTES;
  const isEnough = space.availableBytes >= neededBytes && space.availableInodes >= RESERVE_INODES;
  return { neededBytes, isEnough };
}
