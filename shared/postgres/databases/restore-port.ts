import type { TargetFacts } from "../properties/target-facts.ts";
import type { DatabaseProperties, Settings } from "../properties/database-properties.ts";
import type { TableCount } from "./compare-rows.ts";
import type { DatabaseMark } from "./mark-text.ts";
import type { ArchiveFormat } from "../archive-format.ts";
import type { ArchiveReading } from "../read-archive.ts";
import type { LoadedValues } from "./compare-values.ts";
import type { Omission } from "../lacks.ts";
import type { LoadChoice } from "./load-choice.ts";
import type { OwnDatabase } from "./own-database.ts";
import type { ColumnsOf, PlainDump, TableRows } from "../plain-dump/plain-dump.ts";
import type { ServerRole } from "../roles/server-role.ts";
import type { ScriptMakes } from "../plain-dump/script-makes.ts";
import type { ArchiveNeeds } from "../plain-dump/script-needs.ts";

/** What an archive makes and needs. */
export type ArchiveDemands = Pick<PlainDump, "needs" | "makes"> & {
  /** The entries to be left out, whole, and those of them that it does not have as they were given. */
  readonly leftOut: readonly string[];
  readonly unknownEntries: readonly string[];
  /** Those of extensions that can be in one database only. */
  readonly oneDatabaseEntries: readonly string[];
};

export type LoadRequest = {
  readonly database: string;
  /** Verified to its end. */
  readonly file: { readonly fd: number; bytes(): AsyncIterable<Uint8Array> };
  readonly format: ArchiveFormat;
  /** What the sessions that load work under; see `settingsOfLoad` of the server. */
  readonly settings: Settings;
  /** One thing after the other, where several at once failed. */
  readonly isAlone?: boolean;
  readonly choice: LoadChoice;
};

/** Where the properties of a database to make come from: one that is there, else what was noted of it. */
export type Likeness = { readonly like: string; readonly otherwise?: DatabaseProperties | undefined };

export type TargetRequest = {
  readonly database: string;
  readonly target: string;
  readonly needs: ArchiveNeeds;
  /** What the archive itself holds, where that has been looked at. */
  readonly makes?: ScriptMakes | undefined;
  /** What the manifest says of the database, and of the settings under which its dump was written. */
  readonly noted?:
    | {
        readonly properties?: DatabaseProperties | undefined;
        readonly settings?: Settings | undefined;
        readonly roles?: readonly ServerRole[] | undefined;
      }
    | undefined;
};

export type ReadBackRequest = {
  readonly database: string;
  /** Of the dump that was loaded, with what its values were written under. */
  readonly encoding: string;
  readonly settings: Settings;
  readonly columnsOf: ColumnsOf;
  /** What this role may not read, or not whole. */
  readonly lacks: readonly Omission[];
};

export type ReplaceRequest = LoadRequest & {
  /** What the transaction must hold before it commits. */
  readonly tables: readonly TableRows[];
};

export type ReplacingSession = {
  readonly pid: number;
  /** The id of its transaction. */
  readonly transaction: string;
};

/** The client tools of the server's major version. */
export type RestoreTools = {
  readonly version: string;
  /** Set when the release lacks known security fixes. */
  readonly warning: string | undefined;
  /** The release to install, where psql of this one would run commands that stand in a script. */
  readonly unsafeBefore: string | undefined;
  /** Reads an archive of format `custom` to its end; see DumpTool. */
  read(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): ArchiveReading;
  /** What an archive of format `custom` makes and needs, by its beginning. Throws `archive_damaged`. */
  contents(
    begin: () => AsyncIterable<Uint8Array>,
    choice: LoadChoice,
    signal: AbortSignal,
  ): Promise<ArchiveDemands>;
  /** Loads into an empty database and stops at the first error. Throws `restore_failed`. */
  load(request: LoadRequest, signal: AbortSignal): Promise<void>;
  /** Reads the values of a database that was loaded, and tells how many bytes have come. Throws `restore_failed`. */
  readBack(
    request: ReadBackRequest,
    tell: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<LoadedValues>;
  /**
   * Replaces all that a database holds by an archive of format `custom`, in one transaction. `alone` is called with the
   * session that will do it, before that changes anything. Throws `restore_failed`, with nothing changed.
   */
  replace(
    request: ReplaceRequest,
    alone: (session: ReplacingSession) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
};

/** The server that holds the live database, as a restore needs it. */
export type RestoreServer = {
  inspect(request: TargetRequest, signal: AbortSignal): Promise<TargetFacts>;
  /** Throws `client_tools_not_found`. */
  tools(serverMajor: number, signal: AbortSignal): Promise<RestoreTools>;
  /** What the server says of each of these databases that is there. */
  look(databases: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, DatabaseMark>>;
  /** The same of every database that is there. */
  lookAtAll(signal: AbortSignal): Promise<ReadonlyMap<string, DatabaseMark>>;
  /**
   * Makes an empty database with owner, encoding, locale, tablespace and settings of another, under way by its run. For a
   * `scratch` one the settings that this role may not give are left out.
   */
  create(own: OwnDatabase, likeness: Likeness, signal: AbortSignal): Promise<void>;
  /** What a load works under: as its dump was written, or as the database has it where that was not noted. */
  settingsOfLoad(database: string, noted: Settings | undefined, signal: AbortSignal): Promise<Settings>;
  /** Whether a transaction was committed; one that has not ended is an error. */
  hasCommitted(transaction: string, signal: AbortSignal): Promise<boolean>;
  analyze(database: string, signal: AbortSignal): Promise<void>;
  /** The rows of each of these tables as the database has them now; a table that is not there is left out. */
  countRows(
    database: string,
    tables: readonly Omit<TableRows, "rows">[],
    signal: AbortSignal,
  ): Promise<readonly TableCount[]>;
  sizeBytes(database: string, signal: AbortSignal): Promise<number>;
  /** Grants, settings, connection limit, comment, security labels, and whether it is a template. */
  copyProperties(likeness: Likeness, to: string, signal: AbortSignal): Promise<void>;
  /** It is under way no more. */
  rename(database: string, to: string, signal: AbortSignal): Promise<void>;
  /**
   * Ends its sessions first. That it is not there is fine. Throws `database_not_ours` unless the server says that the run
   * works on it.
   */
  readonly drop: (own: OwnDatabase, signal: AbortSignal) => Promise<void>;
};
