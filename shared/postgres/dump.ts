import type { DatabaseInspection, Lack } from "./inspection.ts";

/** `custom` is pg_dump -Fc; the old pod wrote the other two before 2018-11-20. */
export const ARCHIVE_FORMATS = ["custom", "gzip-sql", "plain-sql"] as const;
export type ArchiveFormat = (typeof ARCHIVE_FORMATS)[number];

export type DumpRequest = {
  readonly database: string;
  readonly inspection: DatabaseInspection;
  /** What the dump leaves out on purpose, because ALLOW_INCOMPLETE said so. */
  readonly leaveOut: readonly Lack[];
};

export type DumpReport = {
  /** What pg_dump wrote to stderr, bounded and without secrets: an omitted object is only a warning with exit 0. */
  readonly warnings: readonly string[];
};

/** One pg_dump process. `archive` ends without an error only if the process ended with 0. */
export type RunningDump = {
  readonly archive: AsyncIterable<Uint8Array>;
  readonly report: () => DumpReport;
};

export type DumpTool = {
  /** `15.18` */
  readonly version: string;
  /** Set when the release lacks known security fixes. */
  readonly warning: string | undefined;
  /** `zstd:1` where the client has it (16 and later), else `gzip:1`. */
  readonly compression: string;
  dump(request: DumpRequest, signal: AbortSignal): RunningDump;
  /**
   * Passes `archive` through unchanged while a pg_restore of the same version reads it to its end. `contents`
   * resolves when that process has ended with 0; it rejects with `archive_damaged` otherwise.
   */
  read(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): ArchiveReading;
};

export type ArchiveReading = {
  readonly archive: AsyncIterable<Uint8Array>;
  readonly contents: Promise<ArchiveContents>;
};

export type ArchiveContents = {
  readonly tables: readonly { readonly schema: string; readonly name: string; readonly rows: number }[];
  readonly largeObjects: number;
  readonly plainBytes: number;
};

/** Finds the client tools of a server's major version. Throws `client_tools_missing`. */
export type FindDumpTool = (serverMajor: number, signal: AbortSignal) => Promise<DumpTool>;
