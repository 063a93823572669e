import { DormouseError } from "../errors.ts";

/**
 * `2026-11-22/hets2026-11-22-01-00.bak`, or `.sql.gz` as the old pod named its files until 2018. Made by `archiveName` or
 * `parseArchiveName` and by nothing else.
 */
export type ArchiveName = `${string}/${string}${Extension}`;

type Extension = (typeof EXTENSIONS)[number];
const EXTENSIONS = [".bak", ".sql.gz"] as const;

export type ArchiveNameParts = {
  readonly name: ArchiveName;
  readonly database: string;
  /** The UTC day, which is also the folder. */
  readonly date: string;
  /** The UTC minute in which the backup began. */
  readonly minuteAt: Date;
  /** 1, or the number behind the minute when the minute was taken already. */
  readonly ordinal: number;
};

/** PostgreSQL cuts identifiers at 63 bytes (NAMEDATALEN - 1); encoded threefold they still fit a file name. */
const MAX_DATABASE_BYTES = 63;
const STAMP = /^(?<encoded>.+?)(?<stamp>\d{4}-\d{2}-\d{2}-\d{2}-\d{2})(?:-(?<ordinal>[1-9]\d*))?$/s;

/** The name of a backup of `database` begun at `startedAt`; `ordinal` 2 and up tells apart those of one minute. */
export function archiveName(database: string, startedAt: Date, ordinal = 1): ArchiveName {
  return named(database, startedAt, ordinal, ".bak");
}

function named(database: string, startedAt: Date, ordinal: number, extension: Extension): ArchiveName {
  const bytes = new TextEncoder().encode(database).length;
  if (bytes === 0 || bytes > MAX_DATABASE_BYTES) {
    throw new DormouseError("configuration_invalid", `database name has ${bytes} bytes, not 1 to 63`, {
      hint: "set POSTGRESQL_DATABASE to the name as PostgreSQL shows it",
    });
  }
  const stamp = startedAt.toISOString().slice(0, 16).replace(/[T:]/g, "-");
  const suffix = ordinal === 1 ? "" : `-${ordinal}`;
  return `${stamp.slice(0, 10)}/${encodeDatabase(database)}${stamp}${suffix}${extension}`;
}

/**
 * Reads the stamp from the right, since the name of a database may itself end in digits. Answers `undefined` for
 * whatever `archiveName` would not have made, letter for letter but for the extension: such a file is foreign.
 */
export function parseArchiveName(text: string): ArchiveNameParts | undefined {
  const extension = EXTENSIONS.find((each) => text.endsWith(each));
  if (extension === undefined) return undefined;
  const groups = STAMP.exec(text.slice(text.indexOf("/") + 1, -extension.length))?.groups;
  if (groups === undefined) return undefined;

  const { encoded = "", stamp = "", ordinal = "1" } = groups;
  const database = decodeDatabase(encoded);
  const minuteAt = parseStamp(stamp);
  if (database === undefined || minuteAt === undefined) return undefined;

  const parts = { database, date: stamp.slice(0, 10), minuteAt, ordinal: Number(ordinal) };
  const name = named(database, minuteAt, parts.ordinal, extension);
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
  const bytes = new TextEncoder().encode(database).length;
  return bytes <= MAX_DATABASE_BYTES ? database : undefined;
}

function parseStamp(stamp: string): Date | undefined {
  const [year, month, day, hour, minute] = stamp.split("-");
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:00Z`);
  return Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== stamp.slice(0, 10) ? undefined : at;
}
