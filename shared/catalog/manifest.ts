import * as z from "zod";
import { DormouseError, faultsIn } from "../errors.ts";
import { mayBeOf, parseArchiveName, type ArchiveName } from "./archive-name.ts";
import { databasePropertiesSchema } from "../postgres/properties/database-properties.ts";
import { serverRoleSchema } from "../postgres/roles/server-role.ts";
import { ARCHIVE_FORMATS } from "../postgres/archive-format.ts";

/**
 * What has been proved about an archive:
 * - `read`: pg_restore (or, for a legacy file, the decompressor and the trailer) read it to its end. No manifest without
 * - `counted`: and a rehearsal loaded it, with as many rows in each table as the manifest says
 * - `compared`: and all values came back, by the hashes that the manifest has of them
 *
 * The format once had two more, between which and `read` nothing ever differed.
 */
const verificationLevel = z
  .enum(["read", "counted", "compared", "hashed", "restored"])
  .transform((level) => (level === "hashed" || level === "restored" ? "read" : level));

/** What a dump cannot or could not hold; see `inspection.ts`. `data` is true where rows are missing. */
const lack = z.looseObject({
  kind: z.string(),
  data: z.boolean(),
  names: z.array(z.string()),
  detail: z.string(),
});

const instant = z.iso.datetime();
const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

type Table = {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  readonly hash?: string | undefined;
  /** In the order of the hash; of a table that inherits. */
  readonly columns?: readonly string[] | undefined;
};

/** Most of a manifest is tables: checked field by field as the rest, they would take most of the time of a listing. */
const tables = z.custom<Table[]>(
  (value) => Array.isArray(value) && value.every(isTable),
  "is no list of tables with schema, name, rows, and perhaps hash and columns",
);

function isTable(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { schema, name, rows, hash = "", columns = [] } = value as Readonly<Record<string, unknown>>;
  const isCount = Number.isSafeInteger(rows) && Number(rows) >= 0;
  return isCount && areTexts([schema, name, hash]) && areTexts(columns);
}

function areTexts(values: unknown): boolean {
  return Array.isArray(values) && values.every((each) => typeof each === "string");
}

/** Unknown fields are kept: an older Dormouse that pins a newer backup must not forget what it cannot read. */
const manifestSchema = z.looseObject({
  formatVersion: z.literal(1),
  /** Of a backup; see `parseManifest`. */
  name: z.string().transform((text) => text as ArchiveName),
  database: z.string(),
  /**
   * Counts the backups of one database from 1; it orders them where clocks do not. An adopted file has the number of
   * the backup before it, 0 where there is none, and follows it by its time.
   */
  sequence: count,
  startedAt: instant,
  finishedAt: instant,
  /** By a monotonic clock, in milliseconds; differs from finishedAt - startedAt when the clock was set. */
  elapsedMs: count,
  /** The run that made it, or that adopted it. */
  run: z.string(),
  trigger: z.looseObject({ source: z.string(), id: z.string(), at: instant.optional() }),
  label: z.string().optional(),
  /** Whose it is; see `origin.ts`. Versions before recorded none. */
  origin: z
    .looseObject({
      system: z.string().optional(),
      namespace: z.string().optional(),
      service: z.string().optional(),
      formerly: z.array(z.string()).optional(),
    })
    .optional(),
  pin: z.looseObject({ at: instant, by: z.string(), reason: z.string().optional() }).optional(),
  /** An operator looked at a suspect backup and found that so little is right. */
  acknowledged: z.looseObject({ at: instant, by: z.string(), reason: z.string().optional() }).optional(),
  versions: z.looseObject({ dormouse: z.string(), pgDump: z.string(), server: z.string() }),
  archive: z.looseObject({
    format: z.enum(ARCHIVE_FORMATS),
    /** As pg_dump takes it: `zstd:1`, `gzip:1`. */
    compression: z.string(),
    /** Whether its table of contents has the offsets of each table's data; unknown where absent. */
    offsets: z.boolean().optional(),
    /** age recipients; absent when the archive is not encrypted. */
    recipients: z.array(z.string()).min(1).optional(),
    /** What decrypting gives; there when `recipients` is. */
    decrypted: z.looseObject({ sizeBytes: count, sha256 }).optional(),
    sizeBytes: count,
    /** Of the bytes as stored. */
    sha256,
    /** Bytes of the SQL script that pg_restore makes of its data: the cap against decompression bombs. */
    plainBytes: count,
  }),
  content: z.looseObject({
    databaseBytes: count,
    /** How values were hashed; absent where they were not: by an earlier version, or in an adopted file. */
    hashing: z.string().optional(),
    tables,
    rows: count,
    largeObjects: count,
    largeObjectsHash: z.string().optional(),
    sequences: z.looseObject({ count, hash: z.string() }).optional(),
    schemaSha256: sha256.optional(),
    extensions: z.array(z.looseObject({ name: z.string(), version: z.string() })),
  }),
  /** By which the database is made anew where it is gone; absent for an adopted file. */
  properties: databasePropertiesSchema.optional(),
  /** Without which a server refuses what is theirs; absent where it was not asked for them. */
  roles: z.array(serverRoleSchema).optional(),
  /** Settings under which the values were written, and must be read: `lc_monetary` decides what an amount is. */
  settings: z.record(z.string(), z.string()).optional(),
  lacks: z.array(lack),
  /** Tables that were dumped without their rows, since a caller or the configuration said so. */
  excluded: z
    .looseObject({
      by: z.enum(["configuration", "request"]),
      patterns: z.array(z.string()),
      tables: z.array(z.looseObject({ schema: z.string(), name: z.string(), bytes: count })),
    })
    .optional(),
  warnings: z.array(z.string()),
  verification: z.looseObject({
    level: verificationLevel,
    at: instant,
    /** The rehearsal since which nothing more than `read` is proved. */
    failed: z.looseObject({ run: z.string(), code: z.string(), message: z.string() }).optional(),
  }),
  /** One command line that restores the archive without Dormouse. */
  restoreByHand: z.string(),
  /** Of all but the marks and itself; see `signed-content.ts`. */
  signature: z
    .looseObject({ algorithm: z.literal("ed25519"), key: z.string(), value: z.string() })
    .optional(),
});

/** What is set in the life of a backup, by people or by a rehearsal; all else stands when it is published. */
export const MARKS = [
  "pin",
  "acknowledged",
  "verification",
] as const satisfies readonly (keyof BackupManifest)[];

/** The JSON beside an archive that completes a backup and describes it. */
export type BackupManifest = z.infer<typeof manifestSchema>;

export type Marks = Pick<BackupManifest, (typeof MARKS)[number]>;

/** The manifest with these marks in the place of its own; whatever else `marks` has is left out. */
export function withMarks(
  manifest: BackupManifest,
  { pin, acknowledged, verification }: Marks,
): BackupManifest {
  const { pin: _pin, acknowledged: _acknowledged, ...rest } = manifest;
  return {
    ...rest,
    ...(pin === undefined ? {} : { pin }),
    ...(acknowledged === undefined ? {} : { acknowledged }),
    verification,
  } as BackupManifest;
}

/**
 * Parses what stands beside the archive `name`. Throws `catalog_unreadable` for JSON that is broken, of another
 * format version, or of another archive; the caller decides whether that damages one backup or the listing.
 */
export function parseManifest(name: ArchiveName, json: string): BackupManifest {
  const manifest = manifestSchema.safeParse(parseJson(name, json));
  if (!manifest.success) {
    throw unreadable(name, faultsIn(manifest.error));
  }
  const parts = parseArchiveName(name);
  if (manifest.data.name !== name || parts === undefined || !mayBeOf(parts, manifest.data.database)) {
    throw unreadable(name, `it belongs to ${manifest.data.name}`);
  }
  return asProved(manifest.data);
}

/** Versions that hashed no values called `compared` what they had counted. */
function asProved(manifest: BackupManifest): BackupManifest {
  const { content, verification } = manifest;
  if (verification.level !== "compared" || content.hashing !== undefined) return manifest;
  return { ...manifest, verification: { ...verification, level: "counted" } };
}

/** Throws, before anything is written, for a manifest that `parseManifest` would refuse. */
export function serialiseManifest(manifest: BackupManifest): string {
  const json = `${JSON.stringify(manifest, null, 2)}\n`;
  parseManifest(manifest.name, json);
  return json;
}

function parseJson(name: ArchiveName, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw unreadable(name, "it is not JSON", error);
  }
}

function unreadable(name: ArchiveName, why: string, cause?: unknown): DormouseError {
  return new DormouseError("catalog_unreadable", `manifest of ${name} cannot be used: ${why}`, {
    hint: "the archive beside it may be good: verify it and restore it by hand, see docs/restore-by-hand.md",
    cause,
  });
}
