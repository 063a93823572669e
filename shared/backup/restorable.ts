import { parseArchiveName, type ArchiveName } from "./archive-name.ts";
import { newestFirst, type Backup } from "./backup.ts";
import type { CatalogListing, LegacyFile } from "./catalog.ts";
import type { ArchiveFormat, BackupManifest } from "./manifest.ts";
import { DormouseError } from "../errors.ts";

/** What a restore can start from: a backup, or a file of the old pod, which has no manifest. */
export type Restorable = {
  readonly name: ArchiveName;
  readonly database: string;
  readonly startedAt: Date;
  readonly sizeBytes: number;
  readonly format: ArchiveFormat;
  readonly manifest: BackupManifest | undefined;
};

/** A whole name, the name without its folder, or `latest`. */
export type WantedBackup = { readonly latest: true } | { readonly name: ArchiveName };

const DATE = /^.+?(\d{4}-\d{2}-\d{2})-\d{2}-\d{2}(?:-[1-9]\d*)?\.bak$/s;

/**
 * Reads what a caller calls a file. Throws `request_invalid` for whatever is not exactly the name of a backup of
 * `database`: a path, an option, another database's backup. Nothing is opened.
 */
export function parseWanted(filename: string, database: string): WantedBackup {
  if (filename === "latest") return { latest: true };
  const date = DATE.exec(filename)?.[1] ?? "";
  const parts = parseArchiveName(filename) ?? parseArchiveName(`${date}/${filename}`);
  if (parts === undefined) {
    throw new DormouseError("request_invalid", `${JSON.stringify(filename)} is not the name of a backup`, {
      hint: "give a name as GET / lists it, like 2026-11-22/hets2026-11-22-01-00.bak, or latest",
    });
  }
  if (parts.database === database) return { name: parts.name };
  throw new DormouseError("request_invalid", `${parts.name} is a backup of another database`, {
    hint: `this function restores ${JSON.stringify(database)} only`,
  });
}

/** Throws `backup_not_found` when the catalog has no such backup of `database`, neither ours nor the old pod's. */
export function findRestorable(listing: CatalogListing, database: string, wanted: WantedBackup): Restorable {
  const backups = listing.backups.filter((backup) => backup.database === database).toSorted(newestFirst);
  const legacy = listing.legacy.filter((file) => file.database === database);
  if ("latest" in wanted) {
    const backup = backups.find((each) => !isSafetyBackup(each));
    const [file] = legacy;
    if (backup !== undefined) return ofBackup(backup);
    if (file !== undefined) return ofLegacy(file);
    throw notFound(`the catalog has no backup of ${JSON.stringify(database)}`);
  }
  const backup = backups.find(({ name }) => name === wanted.name);
  if (backup !== undefined) return ofBackup(backup);
  const file = legacy.find(({ name }) => name === wanted.name);
  if (file !== undefined) return ofLegacy(file);
  const odd = listing.foreign.find(({ path }) => path === wanted.name || path === `${wanted.name}.json`);
  const why = odd === undefined ? "" : `: what lies there ${odd.detail}`;
  throw notFound(`there is no backup ${wanted.name}${why}`);
}

/**
 * What a restore in place took just before it: the content that somebody wanted to be rid of. By `latest` nobody means
 * that, least of all when the restore failed and is asked for again.
 */
function isSafetyBackup({ manifest }: Backup): boolean {
  return manifest.run.startsWith("restore-");
}

function ofBackup({ name, database, startedAt, sizeBytes, manifest }: Backup): Restorable {
  return { name, database, startedAt, sizeBytes, format: manifest.archive.format, manifest };
}

function ofLegacy({ name, database, minuteAt, sizeBytes, format }: LegacyFile): Restorable {
  return { name, database, startedAt: minuteAt, sizeBytes, format, manifest: undefined };
}

function notFound(message: string): DormouseError {
  return new DormouseError("backup_not_found", message, { hint: "GET / lists the catalog" });
}
