import { createHash } from "node:crypto";
import { archiveName, parseArchiveName, type ArchiveName } from "../../shared/catalog/archive-name.ts";
import { toBackup, type Backup } from "../../shared/catalog/backup.ts";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { RetentionPolicy } from "../../shared/retention/retention-policy.ts";

export const KEEP_NOTHING: RetentionPolicy = {
  newest: 0,
  daily: 0,
  weekly: 0,
  monthly: 0,
  yearly: 0,
  withinDays: 0,
  timeZone: "UTC",
  legacy: true,
  suspectDropPercent: 50,
  staleHours: 0,
  rehearsalStaleDays: 0,
};

/** The fields by name: a manifest may hold others, which `Omit` cannot tell apart. */
type Known = {
  readonly [Key in keyof BackupManifest as string extends Key ? never : Key]: BackupManifest[Key];
};

export type ManifestGiven = Partial<Omit<Known, "startedAt" | "finishedAt">> & {
  readonly startedAt?: Date;
  readonly bytes?: Uint8Array;
};

/** A valid manifest; whatever a test cares about is given. */
export function aManifest(given: ManifestGiven = {}): BackupManifest {
  const { startedAt = new Date("2026-11-22T01:00:00Z"), bytes = Buffer.from("PGDMP"), ...rest } = given;
  const database = given.database ?? (given.name === undefined ? "hets" : parseDatabase(given.name));
  return {
    formatVersion: 1,
    name: archiveName(database, startedAt),
    database,
    sequence: 1,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date(startedAt.getTime() + 30_000).toISOString(),
    elapsedMs: 30_000,
    run: "backup-0123456789abcdef01234567",
    trigger: { source: "test", id: "1" },
    versions: { dormouse: "0.0.0", pgDump: "15.20", server: "15.20" },
    archive: {
      format: "custom",
      compression: "gzip:1",
      sizeBytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      plainBytes: 100,
    },
    content: contentWith(3),
    lacks: [],
    warnings: [],
    verification: { level: "read", at: startedAt.toISOString() },
    restoreByHand: "pg_restore",
    ...rest,
  };
}

/** Of one table. */
export function contentWith(rows: number): BackupManifest["content"] {
  return {
    databaseBytes: 1_000,
    tables: [{ schema: "public", name: "t", rows }],
    rows,
    largeObjects: 0,
    extensions: [],
  };
}

export function aBackup(given: ManifestGiven = {}): Backup {
  return toBackup(aManifest(given));
}

function parseDatabase(name: ArchiveName): string {
  return parseArchiveName(name)?.database ?? "";
}
