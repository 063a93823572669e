import type { CountedDump } from "../../postgres/plain-dump/plain-dump.ts";
import type { ArchiveName } from "../archive-name.ts";
import type { BackupManifest } from "../manifest.ts";
import type { ArchiveFormat } from "../../postgres/archive-format.ts";

/** An archive of the catalog, by its name; one that the old pod wrote has no manifest. */
export type ArchiveSource = {
  readonly name: ArchiveName;
  readonly database: string;
  readonly sizeBytes: number;
  readonly format: ArchiveFormat;
  readonly manifest: BackupManifest | undefined;
};

/**
 * A whole archive as a file that pg_restore can seek in: the one opening that was verified, whatever its name leads to
 * meanwhile. Closed, and gone where it is a copy, when disposed of.
 */
export type ArchiveFile = {
  readonly fd: number;
  bytes(): AsyncIterable<Uint8Array>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type ArchiveFiles = {
  /**
   * Finds the archive and compares every byte with its manifest, where it has one. Throws `backup_not_found` unless it
   * is a regular file, and `archive_damaged`.
   */
  open(backup: ArchiveSource, signal: AbortSignal): Promise<ArchiveFile>;
  /** The archive from its beginning on, in plain, for a look at its table of contents. Nothing is compared. */
  beginning(backup: ArchiveSource, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Reads a file of the old pod to its end. Throws `archive_damaged` for what is cut short, broken or a bomb. */
  readPlain(backup: ArchiveSource, file: ArchiveFile, signal: AbortSignal): Promise<CountedDump>;
};

/** What the copies need by which an archive is restored, in the folder for them, and what is free there. */
export type CopyRoom = { readonly neededBytes: number; readonly availableBytes: number };

/** Of both places, by copies where one is needed. */
export type CopiedArchives = ArchiveFiles & {
  /**
   * Removes the copies that killed processes left of a database's archives; not what is fetched of `wanted`, which goes on
   * from there. For the holder of the database's lock.
   */
  sweep(database: string, wanted: string | undefined): Promise<void>;
  /** What a sweep would free counts as free. */
  room(backup: ArchiveSource): Promise<CopyRoom>;
};
