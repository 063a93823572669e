import { DormouseError } from "../errors.ts";
import type { ArchiveName } from "./archive-name.ts";
import type { Backup } from "./backup.ts";
import type { CatalogListing, ChangeMarks } from "./catalog.ts";
import type { BackupManifest } from "./manifest.ts";

/**
 * What became of a backup that should leave the bucket. `locked`: an object lock or a legal hold keeps it, and nothing
 * was changed. `hidden`: the bucket keeps old versions, so it is out of sight, but its bytes are still there.
 */
export type Removal = "removed" | "locked" | "hidden";

/** What the volume says of uploads, by the names of their archives. */
export type KnownUploads = {
  /** They go on. */
  readonly wanted: ReadonlySet<ArchiveName>;
  /** They are of backups that need not be sent any more. What is neither may be another installation's. */
  readonly over: ReadonlySet<ArchiveName>;
};

/** For the first word of a bucket that somebody waits for who may do without it. */
export const ANSWER_MS = 5_000;

export function silentBucket(seconds: number, cause: unknown): DormouseError {
  return new DormouseError("mirror_unreachable", `the bucket did not answer within ${seconds} s`, {
    hint: "look at the store and the network: GET /doctor tells more",
    cause,
  });
}

/** The catalog's backups under the same names in a bucket: a second place, and no more than a copy. */
export type Mirror = {
  /**
   * Complete, or it throws: a partial list would make old backups look like the newest. With `answerWithinMs` a bucket
   * that has said nothing by then is `mirror_unreachable`; one that has may take its time.
   */
  list(signal: AbortSignal, answerWithinMs?: number): Promise<CatalogListing>;
  /**
   * Copies the archive, then the manifest, and proves that the bucket holds both, byte for byte. An archive that is
   * there and equal is not sent again; one that was sent in part goes on where it stopped, if the store allows.
   * Throws `archive_damaged` when `open` gives other bytes than the manifest says, `mirror_unequal` when the bucket
   * keeps other bytes than it was given, `mirror_unreachable` or `mirror_refused`.
   */
  copyIn(backup: Backup, open: () => Promise<AsyncIterable<Uint8Array>>, signal: AbortSignal): Promise<void>;
  /**
   * Changes the marks of a backup that the bucket has: compare-and-set (If-Match) where the store can, else the last one
   * wins. Throws `backup_not_found`.
   */
  mark(name: ArchiveName, change: ChangeMarks, signal: AbortSignal): Promise<BackupManifest>;
  /** Replaces the manifest of a backup that the bucket has by that of the volume. */
  rewrite(manifest: BackupManifest, signal: AbortSignal): Promise<void>;
  /** The archive as stored, from byte number `fromByte` on. What breaks in between is taken up where it broke. */
  open(name: ArchiveName, fromByte: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** The backup of that name as the bucket has it now; `undefined` unless both its objects are there and agree. */
  find(name: ArchiveName, signal: AbortSignal): Promise<Backup | undefined>;
  /** The manifest first, then the archive, each by a request of its own. */
  remove(name: ArchiveName, signal: AbortSignal): Promise<Removal>;
  /** As of a catalog: what is left of a `remove` whose process died in between. */
  finishRemoval(name: ArchiveName, sizeBytes: number, signal: AbortSignal): Promise<boolean>;
  /** Ends uploads of `database` that were begun and that nobody goes on with; answers how many. */
  sweep(database: string, uploads: KnownUploads, signal: AbortSignal): Promise<number>;
};
