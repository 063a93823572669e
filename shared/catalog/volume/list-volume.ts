import { constants, type Dirent } from "node:fs";
import { join } from "node:path";
import { parseArchiveName, type ArchiveNameParts } from "../archive-name.ts";
import { backupOf, newestFirst, type Backup } from "../backup.ts";
import type { CatalogListing, ForeignEntry, LegacyFile } from "../catalog.ts";
import { parseManifest } from "../manifest.ts";
import { DormouseError } from "../../errors.ts";
import { damagedFiles, type Damage } from "../legacy/damaged-files.ts";
import { fileFormat, MAGIC_BYTES } from "./file-format.ts";
import { codeOf, type Files } from "./files.ts";
import { STORAGE } from "./volume-calls.ts";

/** Folders of the file system's own, and ours. */
const IGNORED = new Set([".dormouse", "lost+found", ".snapshot"]);
const MAX_MANIFEST_BYTES = 32 << 20;
/** Entries looked at side by side: enough for a network file system, few enough for its handles. */
const AT_ONCE = 16;
const DAYS_AT_ONCE = 8;
const ATTEMPTS = 5;

type Found =
  | { readonly backup: Backup }
  | { readonly legacy: LegacyFile; readonly modifiedMs: number }
  | { readonly foreign: ForeignEntry };

/** Thrown when an entry went away between two looks: the folder is read again. */
class Vanished extends Error {}

export async function listVolume(
  files: Files,
  backupDir: string,
  signal: AbortSignal,
): Promise<CatalogListing> {
  try {
    const found: Found[] = [];
    const entries = await readFolder(files, backupDir);
    // Most days have one backup: days, too, are looked at side by side.
    for (let at = 0; at < entries.length; at += DAYS_AT_ONCE) {
      signal.throwIfAborted();
      const some = entries
        .slice(at, at + DAYS_AT_ONCE)
        .map((entry) =>
          unlessForbidden(files, backupDir, entry.name, () => listEntry(files, backupDir, entry)),
        );
      for (const each of await Promise.all(some)) found.push(...each);
    }
    return sorted(found, await damagedFiles(backupDir));
  } catch (error) {
    // What says by itself what is wrong, as a volume that is silent.
    if (signal.aborted || error instanceof DormouseError) throw error;
    throw new DormouseError(
      "catalog_unreadable",
      `the catalog in ${backupDir} cannot be listed: ${String(error)}`,
      {
        hint: `nothing is culled while the list is incomplete: ${STORAGE}`,
        cause: error,
      },
    );
  }
}

async function listEntry(files: Files, backupDir: string, entry: Dirent): Promise<Found[]> {
  if (IGNORED.has(entry.name) || entry.name.startsWith(".nfs")) return [];
  const isDay = isDate(entry.name) && entry.isDirectory();
  return isDay ? listDay(files, backupDir, entry.name) : [{ foreign: foreignEntry(entry, entry.name) }];
}

/** Whether a folder is named as ours are. */
export function isDate(name: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(name);
}

function sorted(found: readonly Found[], damaged: Readonly<Record<string, Damage>>): CatalogListing {
  const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return {
    backups: found.flatMap((entry) => ("backup" in entry ? [entry.backup] : [])).toSorted(newestFirst),
    legacy: found
      .flatMap((entry) => ("legacy" in entry ? [withDamage(entry, damaged[entry.legacy.name])] : []))
      .toSorted((a, b) => b.minuteAt.getTime() - a.minuteAt.getTime() || text(a.name, b.name)),
    foreign: found
      .flatMap((entry) => ("foreign" in entry ? [entry.foreign] : []))
      .toSorted((a, b) => text(a.path, b.path)),
  };
}

/** A file that was found to be damaged is so until it changes. */
function withDamage(
  { legacy, modifiedMs }: { readonly legacy: LegacyFile; readonly modifiedMs: number },
  damage: Damage | undefined,
): LegacyFile {
  const isThat = damage?.sizeBytes === legacy.sizeBytes && damage.modifiedMs === modifiedMs;
  return isThat ? { ...legacy, damage: damage.why } : legacy;
}

/** A cull may remove files meanwhile; then the day is read once more. */
async function listDay(files: Files, backupDir: string, date: string): Promise<Found[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listFolder(files, backupDir, date);
    } catch (error) {
      if (!(error instanceof Vanished) || attempt === ATTEMPTS) throw error;
    }
  }
}

async function listFolder(files: Files, backupDir: string, date: string): Promise<Found[]> {
  const entries = await readFolder(files, join(backupDir, date)).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  const names = new Set(entries.map(({ name }) => name));
  const found: Found[] = [];
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    const some = entries
      .slice(at, at + AT_ONCE)
      .map((entry) => classify(files, backupDir, date, { entry, names }));
    for (const result of await Promise.all(some)) if (result !== undefined) found.push(result);
  }
  return found;
}

async function classify(
  files: Files,
  backupDir: string,
  date: string,
  { entry, names }: { readonly entry: Dirent; readonly names: ReadonlySet<string> },
): Promise<Found | undefined> {
  const path = `${date}/${entry.name}`;
  if (entry.name.startsWith(".nfs")) return undefined;
  if (!entry.isFile()) return { foreign: foreignEntry(entry, path) };
  const parts = parseArchiveName(path.replace(/\.json$/, ""));
  if (parts === undefined) return { foreign: foreignEntry(entry, path) };

  const isManifest = path !== parts.name;
  if (isManifest) return names.has(entry.name.replace(/\.json$/, "")) ? undefined : { foreign: orphan(path) };
  const hasManifest = names.has(`${entry.name}.json`);
  const [found] = await unlessForbidden(files, backupDir, hasManifest ? `${path}.json` : path, async () => [
    await (hasManifest ? readBackup(files, backupDir, parts) : readLegacy(files, backupDir, parts)),
  ]);
  return found;
}

/** What another user keeps to itself is no fault of the volume: it is told, with whose it is, and stops nothing by itself. */
async function unlessForbidden(
  files: Files,
  backupDir: string,
  path: string,
  look: () => Promise<Found[]>,
): Promise<Found[]> {
  try {
    return await look();
  } catch (error) {
    if (!["EACCES", "EPERM"].includes(codeOf(error))) throw error;
    const found = await files.lstat(join(backupDir, path)).catch(() => undefined);
    const whose =
      found === undefined ? "" : `: it is of user ${found.uid}, mode ${(found.mode & 0o777).toString(8)}`;
    const detail = `may not be read by user ${process.getuid?.() ?? "unknown"}${whose}`;
    return [{ foreign: { path, reason: "unreadable", detail } }];
  }
}

/** The backup behind a name of which both files are there; a manifest that cannot be believed makes it foreign. */
export async function readBackup(
  files: Files,
  backupDir: string,
  { name }: ArchiveNameParts,
): Promise<Found> {
  const path = join(backupDir, name);
  const archive = await vanishing(files.lstat(path));
  if (!archive.isFile())
    return { foreign: { path: name, reason: "special_file", detail: "is not a regular file" } };
  const manifestText = await readSmall(files, `${path}.json`, MAX_MANIFEST_BYTES);
  try {
    const backup = backupOf(parseManifest(name, manifestText.toString("utf8")));
    if (backup.sizeBytes === archive.size) return { backup };
    const detail = `has ${archive.size} bytes, its manifest says ${backup.sizeBytes}`;
    return { foreign: { path: name, reason: "archive_size_differs", detail } };
  } catch (error) {
    return {
      foreign: { path: `${name}.json`, reason: "manifest_unreadable", detail: (error as Error).message },
    };
  }
}

async function readLegacy(files: Files, backupDir: string, parts: ArchiveNameParts): Promise<Found> {
  const { name, database, minuteAt } = parts;
  const path = join(backupDir, name);
  const { size, mtimeMs } = await vanishing(files.lstat(path));
  const format = fileFormat(await readSmall(files, path, MAGIC_BYTES));
  if (format === "gzip" || format === "plain-sql" || format === "custom") {
    const known = { name, database, minuteAt, sizeBytes: size };
    return { legacy: { ...known, format: format === "gzip" ? "gzip-sql" : format }, modifiedMs: mtimeMs };
  }
  const detail = size === 0 ? "is empty" : `has no manifest; its content is ${format}`;
  return { foreign: { path: name, reason: "archive_without_manifest", detail } };
}

/** The first `limit` bytes. Neither a link nor a FIFO that took the file's place is followed or waited for. */
async function readSmall(files: Files, path: string, limit: number): Promise<Buffer> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await vanishing(files.open(path, flags));
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.min(size, limit));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function vanishing<Result>(call: Promise<Result>): Promise<Result> {
  return call.catch((error: unknown) => {
    throw codeOf(error) === "ENOENT" ? new Vanished("a file went away", { cause: error }) : error;
  });
}

async function readFolder(files: Files, path: string): Promise<Dirent[]> {
  return files.readdir(path, { withFileTypes: true });
}

function orphan(path: string): ForeignEntry {
  return { path, reason: "manifest_without_archive", detail: "its archive is gone" };
}

function foreignEntry(entry: Dirent, path: string): ForeignEntry {
  if (entry.isDirectory()) return { path, reason: "folder", detail: "is a folder" };
  if (entry.isSymbolicLink()) return { path, reason: "link", detail: "is a symbolic link" };
  if (!entry.isFile()) return { path, reason: "special_file", detail: "is not a regular file" };
  if (entry.name.startsWith(".tmp-"))
    return { path, reason: "temporary", detail: "is being written, or was left" };
  return { path, reason: "unknown_file", detail: "is not named as a backup" };
}
