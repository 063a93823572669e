import type { ArchiveName } from "./archive-name.ts";
import type { Backup } from "./backup.ts";
import type { BackupManifest, Marks } from "./manifest.ts";
import type { CountedDump } from "../postgres/plain-dump/plain-dump.ts";
import type { ArchiveFormat } from "../postgres/archive-format.ts";

/**
 * An archive of an older pod: its name is ours or backup-container's, its manifest is missing, and its content is a dump in
 * whichever format the pod wrote that year.
 */
export type LegacyFile = {
  readonly name: ArchiveName;
  readonly database: string;
  readonly minuteAt: Date;
  readonly sizeBytes: number;
  readonly format: ArchiveFormat;
  /** How the database was decided, if the name has the server's before it. */
  readonly decision?: { readonly how: string; readonly isDecided: boolean };
  /** Why it could not be adopted, as long as it has not changed since: it is kept, and counts as nothing. */
  readonly damage?: string;
};

/** What reading a legacy file to its end has shown. */
export type LegacyContents = {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Values are not compared: other releases of pg_dump may have written the same ones otherwise. */
  readonly dump: CountedDump;
  /** As the dump's head says; `unknown` where it does not. */
  readonly versions: { readonly server: string; readonly pgDump: string };
};

/** Whatever else lies below BACKUP_DIR. It is reported, never followed, never counted and never removed. */
export type ForeignEntry = {
  /** Relative to BACKUP_DIR. */
  readonly path: string;
  readonly reason:
    | "unknown_file"
    | "folder"
    | "link"
    | "special_file"
    /** Named as ours are, but with neither a manifest nor the content of a dump. */
    | "archive_without_manifest"
    | "manifest_without_archive"
    | "manifest_unreadable"
    /** We may not look: of a folder or a manifest it is unknown what backups that hides. */
    | "unreadable"
    /** Another size than the manifest says. */
    | "archive_size_differs"
    /** Where keys are set: none of them signed it, or it was changed after one had. */
    | "signature_missing"
    | "signature_invalid"
    | "temporary";
  readonly detail: string;
};

export type CatalogListing = {
  /** All databases, newest first. */
  readonly backups: readonly Backup[];
  readonly legacy: readonly LegacyFile[];
  readonly foreign: readonly ForeignEntry[];
};

export type Space = { readonly availableBytes: number; readonly availableInodes: number };

/** What is about to be written: whose it is decides its temporary name, its beginning decides its final one. */
export type ArchiveDraft = {
  readonly database: string;
  readonly run: string;
  readonly startedAt: Date;
};

/** Bytes on the volume that are not a backup yet: complete, synced and read back, under a temporary name. */
export type StagedArchive = {
  readonly sizeBytes: number;
  readonly sha256: string;
  /**
   * Gives the archive the first free name of its minute, then writes the manifest that `describe` makes of that name.
   * The backup exists when this resolves, and not before. Nothing that is there already is replaced.
   */
  publish(describe: (name: ArchiveName) => BackupManifest): Promise<Backup>;
  /** Removes the temporary file. After `publish` it does nothing. */
  discard(): Promise<void>;
};

/** A process that writes a file: `moved` is called whenever more of it is there. */
export type WritingProcess = { readonly ended: Promise<void>; moved(): void };

/** What writes an archive into a file of the catalog, and knows its table of contents. */
export type ArchiveWriter = {
  /**
   * Begins to write, from the beginning of the empty file. `passing` reads the file while it grows; what is returned passes
   * that on unchanged, each piece good until the next one is asked for.
   */
  begin(
    fd: number,
    passing: (writing: WritingProcess) => AsyncIterable<Uint8Array>,
  ): AsyncIterable<Uint8Array>;
  /**
   * Reads the table of contents at the beginning of the file, and not much more. Throws `archive_damaged` unless it is
   * whole and names what has passed.
   */
  checkContents(archive: AsyncIterable<Uint8Array>): Promise<void>;
};

/** What a run has under temporary names: it is writing it, or left it. */
export type Leftover = {
  readonly run: string;
  readonly files: number;
  readonly sizeBytes: number;
  /** The last time that any of it was written or named. */
  readonly changedAt: Date;
};

const ABANDONED_AFTER_MS = 24 * 3_600_000;

/** Whether no run can be at it any more, whatever is known of the run: a dump that is stuck ends far sooner. */
export function isAbandoned({ changedAt }: Pick<Leftover, "changedAt">, now: Date): boolean {
  return now.getTime() - changedAt.getTime() > ABANDONED_AFTER_MS;
}

export type ChangeMarks = (manifest: BackupManifest) => Marks;

/**
 * What became of a backup that should go. `changed`: its manifest is not the decided one any more, and nothing was
 * removed. `locked`: an object lock or a legal hold keeps it, and nothing was removed. `hidden`: the bucket keeps old
 * versions, so it is out of sight, but its bytes are still there.
 */
export type RemoveOutcome = "removed" | "changed" | "locked" | "hidden";

/**
 * All backups below one folder or in one bucket, under the same names. Names from callers are parsed, never joined to a
 * path. A volume has a limit of its own for each of its calls, and passes over the signal where it reads one small file.
 */
export type Catalog = {
  /**
   * Complete, or it throws: a partial list would make old backups look like the newest. With `answerWithinMs` a bucket
   * that has said nothing by then is `mirror_unreachable`; one that has may take its time.
   */
  list(signal: AbortSignal, answerWithinMs?: number): Promise<CatalogListing>;
  /** The backup of that name as it stands now; `undefined` unless both its files are there and agree. */
  find(name: ArchiveName, signal: AbortSignal): Promise<Backup | undefined>;
  /**
   * The archive as stored, from byte number `fromByte` on, in pieces of which each is good until the next one is asked
   * for; legacy files too. Throws `backup_not_found` unless it is there, and no link or device.
   */
  open(name: ArchiveName, fromByte: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Changes the marks of an existing backup, as one durable step: compare-and-set, so that of two at once, from
   * whichever processes, none is lost; in a bucket where the store can (If-Match), else the last one wins. `change` may
   * be called more than once, each time with the manifest as it stands. Answers with what stands then. Throws
   * `backup_not_found`.
   */
  mark(name: ArchiveName, change: ChangeMarks, signal: AbortSignal): Promise<BackupManifest>;
  /**
   * Removes the manifest first, so that a half-removed backup is never offered for a restore. A volume compares its
   * manifest with the `decided` one in the same step. Throws `backup_not_found` for what is no backup of ours.
   */
  remove(name: ArchiveName, signal: AbortSignal, decided?: BackupManifest): Promise<RemoveOutcome>;
  /**
   * Removes the archive of that size whose manifest a `remove` had removed when its process died, and the folder if it
   * is empty. Answers whether the archive was there; one with a manifest, or of another size, is left alone.
   */
  finishRemoval(name: ArchiveName, sizeBytes: number, signal: AbortSignal): Promise<boolean>;
};

/** The primary place: backups are taken there, and files of the old pod lie there. */
export type VolumeCatalog = Catalog & {
  /**
   * Writes `archive` to a temporary file, syncs it, reads it back and compares the hash. Throws `disk_full`,
   * `volume_unwritable` or `archive_damaged`, and whatever `archive` throws, with the file removed.
   */
  stage(draft: ArchiveDraft, archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<StagedArchive>;
  /**
   * The same for another process that writes the file itself, and fills in its table of contents at its end. `undefined`,
   * with nothing left, where the volume does not let a growing file be followed.
   */
  stageWritten(
    draft: ArchiveDraft,
    writer: ArchiveWriter,
    signal: AbortSignal,
  ): Promise<StagedArchive | undefined>;
  /**
   * Makes a backup of a legacy file: reads it to its end and writes the manifest that `describe` makes of what was
   * read. A file that is damaged, or does not end as a dump ends, stays as it is and is listed with its `damage` from
   * then on; the answer is that text.
   */
  adopt(
    file: LegacyFile,
    describe: (contents: LegacyContents) => BackupManifest,
    signal: AbortSignal,
  ): Promise<{ readonly backup: Backup } | { readonly damage: string }>;
  /** Of all runs that have temporary files beside the backups, whether they have ended or not. */
  leftovers(): Promise<readonly Leftover[]>;
  /**
   * Removes what `run` left half done: its temporary files, and an archive that has its name but no manifest, known by
   * its hash. Only for a run that is known to have ended.
   */
  sweep(run: string): Promise<void>;
  space(): Promise<Space>;
};

/** What the volume says of uploads, by the names of their archives. */
export type KnownUploads = {
  /** They go on. */
  readonly wanted: ReadonlySet<ArchiveName>;
  /** They are of backups that need not be sent any more. What is neither may be another installation's. */
  readonly over: ReadonlySet<ArchiveName>;
};

/** The same backups in a bucket: a second place, and no more than a copy. */
export type BucketCatalog = Catalog & {
  /**
   * Copies the archive, then the manifest, and proves that the bucket holds both, byte for byte. An archive that is
   * there and equal is not sent again; one that was sent in part goes on where it stopped, if the store allows.
   * Throws `archive_damaged` when `open` gives other bytes than the manifest says, `mirror_checksum_mismatch` when the bucket
   * keeps other bytes than it was given, `mirror_unreachable` or `mirror_refused`.
   */
  copyIn(backup: Backup, open: () => Promise<AsyncIterable<Uint8Array>>, signal: AbortSignal): Promise<void>;
  /** Replaces the manifest of a backup that the bucket has by that of the volume. */
  rewrite(manifest: BackupManifest, signal: AbortSignal): Promise<void>;
  /** Ends uploads of `database` that were begun and abandoned; answers how many. */
  sweepUploads(database: string, uploads: KnownUploads, signal: AbortSignal): Promise<number>;
};
