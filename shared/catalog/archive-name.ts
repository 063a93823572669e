import { DormouseError } from "../errors.ts";

/**
 * `2026-11-22/hets2026-11-22-01-00.bak`, or `.sql.gz` as the old pod named its files until 2018, or what backup-container
 * calls them. Made by `archiveName` or `parseArchiveName` and by nothing else.
 */
export type ArchiveName = `${string}/${string}${Extension}`;

type Extension = (typeof EXTENSIONS)[number];
const EXTENSIONS = [".bak", ".sql.gz"] as const;

export type ArchiveNameParts = {
  readonly name: ArchiveName;
  /** In a name of backup-container with the server's before it; see `mayBeOf`. */
  readonly database: string;
  readonly withServer: boolean;
  /** The UTC day, which is also the last folder. */
  readonly date: string;
  readonly folder: string;
  /** The UTC minute in which the backup began. */
  readonly minuteAt: Date;
  /** 1, or the number behind the minute when the minute was taken already. */
  readonly ordinal: number;
};

/** The folders in which backup-container's strategy `rolling` puts what it keeps for so long. */
export const TIERS: ReadonlySet<string> = new Set(["daily", "weekly", "monthly"]);

/** PostgreSQL cuts identifiers at 63 bytes (NAMEDATALEN - 1); encoded threefold they still fit a file name. */
const MAX_DATABASE_BYTES = 63;
const DATE_LENGTH = "2026-11-22".length;
const STAMP = /^(?<encoded>.+?)(?<stamp>\d{4}-\d{2}-\d{2}-\d{2}-\d{2})(?:-(?<ordinal>[1-9]\d*))?$/s;

/** The name of a backup of `database` begun at `startedAt`; `ordinal` 2 and up tells apart those of one minute. */
export function archiveName(database: string, startedAt: Date, ordinal = 1): ArchiveName {
  return named(database, startedAt, ordinal, ".bak");
}

function named(database: string, startedAt: Date, ordinal: number, extension: Extension): ArchiveName {
  if (!fits(database)) {
    throw new DormouseError(
      "configuration_invalid",
      `database name has ${bytesIn(database)} bytes, not 1 to 63`,
      {
        hint: "set POSTGRESQL_DATABASE to the name as PostgreSQL shows it",
      },
    );
  }
  const stamp = startedAt.toISOString().slice(0, 16).replace(/[T:]/g, "-");
  return stamped(database, stamp, ordinal, extension);
}

function stamped(database: string, stamp: string, ordinal: number, extension: Extension): ArchiveName {
  const suffix = ordinal === 1 ? "" : `-${ordinal}`;
  return `${stamp.slice(0, DATE_LENGTH)}/${encodeDatabase(database)}${stamp}${suffix}${extension}`;
}

/** A unit of UTF-16 is one to three bytes of UTF-8: most names need not be encoded. */
function fits(database: string): boolean {
  const { length } = database;
  return length > 0 && (3 * length <= MAX_DATABASE_BYTES || bytesIn(database) <= MAX_DATABASE_BYTES);
}

function bytesIn(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Answers `undefined` for whatever neither `archiveName`, letter for letter but for the extension, nor backup-container would
 * have made: such a file is foreign.
 */
export function parseArchiveName(text: string): ArchiveNameParts | undefined {
  return parseOwnName(text) ?? ofContainer(text);
}

function ofContainer(text: string): ArchiveNameParts | undefined {
  const parsed = parseContainerName(text);
  if (parsed === undefined) return undefined;
  const { serverAndDatabase: database, folder, at } = parsed;
  const date = folder.slice(-DATE_LENGTH);
  return { name: text as ArchiveName, database, withServer: true, date, folder, minuteAt: at, ordinal: 1 };
}

/** Whether a backup of `database` may be called so. */
export function mayBeOf(
  { database: said, withServer }: Pick<ArchiveNameParts, "database" | "withServer">,
  database: string,
): boolean {
  return said === database || (withServer && said.endsWith(`-${database}`));
}

/** Reads the stamp from the right, since the name of a database may itself end in digits. */
function parseOwnName(text: string): ArchiveNameParts | undefined {
  const extension = EXTENSIONS.find((each) => text.endsWith(each));
  if (extension === undefined) return undefined;
  const groups = STAMP.exec(text.slice(text.indexOf("/") + 1, -extension.length))?.groups;
  if (groups === undefined) return undefined;

  const { encoded = "", stamp = "", ordinal = "1" } = groups;
  const database = decodeDatabase(encoded);
  const minuteAt = parseStamp(stamp);
  if (database === undefined || minuteAt === undefined) return undefined;

  const date = stamp.slice(0, DATE_LENGTH);
  const parts = { database, withServer: false, date, folder: date, minuteAt, ordinal: Number(ordinal) };
  const name = stamped(database, stamp, parts.ordinal, extension);
  return name === text ? { name, ...parts } : undefined;
}

// What a path cannot hold, `.` so that no name is `..`, and `%` so that decoding is unambiguous.
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f/.%]/g;

function encodeDatabase(database: string): string {
  return database.replace(UNSAFE, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  });
}

function decodeDatabase(encoded: string): string | undefined {
  const database = encoded.replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return fits(database) ? database : undefined;
}

function parseStamp(stamp: string): Date | undefined {
  const [year, month, day, hour, minute] = stamp.split("-");
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:00Z`);
  return Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== stamp.slice(0, 10) ? undefined : at;
}

/** What the name of a file of backup-container says. */
type ContainerName = {
  /** The server and the database with a hyphen between them; both may hold more of them. */
  readonly serverAndDatabase: string;
  readonly folder: string;
  readonly at: Date;
};

/** The folder is named before the file: around midnight it may bear the day before. */
const NAME =
  // oxlint-disable-next-line no-control-regex
  /^(?<folder>(?:(?:daily|weekly|monthly)\/)?\d{4}-\d{2}-\d{2})\/(?<both>[^/\u0000-\u001f\u007f]+-[^/\u0000-\u001f\u007f]+)_(?<day>\d{4}-\d{2}-\d{2})_(?<hour>\d{2})-(?<minute>\d{2})-(?<second>\d{2})\.sql\.gz$/;

/** `[daily|weekly|monthly/]<date>/<server>-<database>_<date>_HH-MM-SS.sql.gz`; nothing else, and not while it is written. */
function parseContainerName(text: string): ContainerName | undefined {
  const { folder = "", both = "", day = "", hour, minute, second } = NAME.exec(text)?.groups ?? {};
  const at = new Date(`${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== day) return undefined;
  return { serverAndDatabase: both, folder, at };
}
