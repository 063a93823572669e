import type { ArchiveName } from "./archive-name.ts";
import type { Backup } from "./backup.ts";
import type { BackupManifest, Marks } from "./manifest.ts";
import type { PlainDump } from "../postgres/plain-dump/plain-dump.ts";
import type { ArchiveFormat } from "../postgres/dump.ts";

/**
 * An archive of the old pod: its name is ours, its manifest is missing, and its content is a dump in whichever format the
 * pod wrote that year.
 */
export type LegacyFile = {
  readonly name: ArchiveName;
  readonly database: string;
  readonly minuteAt: Date;
  readonly sizeBytes: number;
  readonly format: ArchiveFormat;
  /** Why it could not be adopted, as long as it has not changed since: it is kept, and counts as nothing. */
  readonly damage?: string;
};

/** What reading a legacy file to its end has told. */
export type LegacyContents = {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly dump: PlainDump;
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

/** All backups below one folder or bucket. Names from callers are parsed, never joined to a path. */
export type Catalog = {
  /** Complete, or it throws `catalog_unreadable`: a partial list would make old backups look like the newest. */
  list(signal: AbortSignal): Promise<CatalogListing>;
  /** The backup of that name as it stands now; `undefined` unless both its files are there and agree. */
  find(name: ArchiveName): Promise<Backup | undefined>;
  /**
   * Writes `archive` to a temporary file, syncs it, reads it back and compares the hash. Throws `disk_full`,
   * `volume_unwritable` or `archive_damaged`, and whatever `archive` throws, with the file removed.
   */
  stage(draft: ArchiveDraft, archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<StagedArchive>;
  /**
   * The archive as stored, legacy files too, in pieces of which each is good until the next one is asked for. Throws
   * `backup_not_found` unless it is a regular file.
   */
  open(name: ArchiveName): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Changes the marks of an existing backup, as one durable step: compare-and-set, so that of two at once, from
   * whichever processes, none is lost. `change` may be called more than once, each time with the manifest as it stands.
   * Answers with what stands then. Throws `backup_not_found`.
   */
  mark(name: ArchiveName, change: ChangeMarks): Promise<BackupManifest>;
  /**
   * Removes the manifest first, so that a half-removed backup is never offered for a restore; nothing, and answers
   * false, if its manifest is not the `decided` one any more. Throws `backup_not_found` for what is no backup of ours.
   */
  remove(name: ArchiveName, decided?: BackupManifest): Promise<boolean>;
  /**
   * Removes the archive of that size whose manifest a `remove` had removed when its process died, and the folder if it
   * is empty. Answers whether the archive was there; one with a manifest, or of another size, is left alone.
   */
  finishRemoval(name: ArchiveName, sizeBytes: number): Promise<boolean>;
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
