import type { Dirent, Stats } from "node:fs";
import { join } from "node:path";
import { TIERS, type ArchiveNameParts } from "../archive-name.ts";
import type { CatalogListing, ForeignEntry } from "../catalog.ts";
import {
  classifyBackup,
  classifyName,
  foreignName,
  keepingOnce,
  listingOf,
  MAX_MANIFEST_BYTES,
  type Classified,
} from "../classify.ts";
import { mapConcurrently } from "../../waiting.ts";
import { DormouseError, readCode } from "../../errors.ts";
import { damagedFiles } from "../legacy/damaged-files.ts";
import { describeLegacy, type FoundLegacy, type KnownServer } from "../legacy/decide-database.ts";
import { contentFormat, MAGIC_BYTES } from "./file-format.ts";
import { isDenied, isOutOfReach, statIfThere, type Files } from "./files.ts";
import { readBeginning } from "./open-regular.ts";
import { STORAGE } from "./volume-calls.ts";

/** Folders of the file system's own, and ours. */
const IGNORED = new Set([".dormouse", "lost+found", ".snapshot"]);
/**
 * Days, and entries of each, looked at side by side. Node has four threads for files: with more calls waiting, they need not be
 * woken for each, and with many more, a slow volume would seem to be silent.
 */
const DAYS_AT_ONCE = 16;
const AT_ONCE = 2;
const ATTEMPTS = 5;

type Found = Classified | FoundLegacy;

/** Thrown when an entry went away between two looks: the folder is read again. */
export class Vanished extends Error {}

export async function listVolume(
  files: Files,
  backupDir: string,
  known: KnownServer,
  signal: AbortSignal,
): Promise<CatalogListing> {
  const keepOnce = keepingOnce();
  try {
    // Most days have one backup: days, too, are looked at side by side.
    const found = await mapConcurrently(await readFolder(files, backupDir), DAYS_AT_ONCE, async (entry) => {
      signal.throwIfAborted();
      const day = await unlessOutOfReach(files, backupDir, entry.name, () =>
        listEntry(files, backupDir, entry),
      );
      day.forEach(keepOnce);
      return day;
    });
    return listingOf(describeLegacy(found.flat(), known, await damagedFiles(backupDir)));
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
  if (!entry.isDirectory()) return [{ foreign: foreignEntry(entry, entry.name) }];
  if (TIERS.has(entry.name)) return listTier(files, backupDir, entry.name);
  return isDate(entry.name)
    ? listDay(files, backupDir, entry.name)
    : [{ foreign: foreignEntry(entry, entry.name) }];
}

/** Whether a folder is named as ours are. */
export function isDate(name: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(name);
}

/** The days that backup-container keeps for a time of their own. */
async function listTier(files: Files, backupDir: string, tier: string): Promise<Found[]> {
  const entries = await readFolder(files, join(backupDir, tier));
  const found = await mapConcurrently(entries, DAYS_AT_ONCE, async (entry): Promise<Found[]> => {
    const path = `${tier}/${entry.name}`;
    return isDate(entry.name) && entry.isDirectory()
      ? unlessOutOfReach(files, backupDir, path, () => listDay(files, backupDir, path))
      : [{ foreign: foreignEntry(entry, path) }];
  });
  return found.flat();
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
    if (readCode(error) === "ENOENT") return [];
    throw error;
  });
  const paths = new Set(entries.map(({ name }) => `${date}/${name}`));
  const found = await mapConcurrently(entries, AT_ONCE, (entry) =>
    classify(files, backupDir, entry, { path: `${date}/${entry.name}`, paths }),
  );
  return found.filter((entry) => entry !== undefined);
}

async function classify(
  files: Files,
  backupDir: string,
  entry: Dirent,
  { path, paths }: { readonly path: string; readonly paths: ReadonlySet<string> },
): Promise<Found | undefined> {
  if (entry.name.startsWith(".nfs")) return undefined;
  if (!entry.isFile()) return { foreign: foreignEntry(entry, path) };
  const named = classifyName(path, (other) => paths.has(other));
  if (named === undefined || "foreign" in named) return named;
  if (await hasOtherName(files, backupDir, path))
    return { foreign: { path, reason: "unknown_file", detail: "has a name that is not UTF-8" } };
  const isWhole = "whole" in named;
  const [found] = await unlessOutOfReach(files, backupDir, isWhole ? `${path}.json` : path, async () => [
    isWhole
      ? await readBackup(files, backupDir, named.whole)
      : await readLegacy(files, backupDir, named.bare),
  ]);
  return found;
}

/** Bytes of a name that are no UTF-8 are replaced when the folder is read: there is no such file then. */
async function hasOtherName(files: Files, backupDir: string, path: string): Promise<boolean> {
  return path.includes("\uFFFD") && (await statIfThere(files, join(backupDir, path))) === undefined;
}

/**
 * What another user keeps to itself, or the disk has lost, is no fault of the whole volume: it is reported, and stops nothing by
 * itself. See `hiding` for what it may hide.
 */
async function unlessOutOfReach(
  files: Files,
  backupDir: string,
  path: string,
  look: () => Promise<Found[]>,
): Promise<Found[]> {
  try {
    return await look();
  } catch (error) {
    if (!isOutOfReach(error)) throw error;
    const detail = isDenied(error)
      ? `may not be read by user ${process.getuid?.() ?? "unknown"}${await whose(files, join(backupDir, path))}`
      : `cannot be read: ${(error as Error).message}`;
    return [{ foreign: { path, reason: "unreadable", detail } }];
  }
}

async function whose(files: Files, path: string): Promise<string> {
  const found = await files.lstat(path).catch(() => undefined);
  return found === undefined ? "" : `: it is of user ${found.uid}, mode ${(found.mode & 0o777).toString(8)}`;
}

export async function readBackup(
  files: Files,
  backupDir: string,
  { name }: ArchiveNameParts,
): Promise<Classified> {
  const path = join(backupDir, name);
  const archive = await statOf(files, path);
  if (!archive.isFile())
    return { foreign: { path: name, reason: "special_file", detail: "is not a regular file" } };
  return readSmall(files, `${path}.json`, MAX_MANIFEST_BYTES + 1, (manifest) =>
    classifyBackup(name, archive.size, manifest),
  );
}

async function readLegacy(files: Files, backupDir: string, parts: ArchiveNameParts): Promise<Found> {
  const { name, database, minuteAt } = parts;
  const path = join(backupDir, name);
  const { size, mtimeMs } = await statOf(files, path);
  const format = await readSmall(files, path, MAGIC_BYTES, contentFormat);
  if (format === "gzip-sql" || format === "plain-sql" || format === "custom")
    return { legacy: { name, database, minuteAt, sizeBytes: size, format }, parts, modifiedMs: mtimeMs };
  const detail = size === 0 ? "is empty" : `has no manifest; its content is ${format}`;
  return { foreign: { path: name, reason: "archive_without_manifest", detail } };
}

async function readSmall<Result>(
  files: Files,
  path: string,
  limit: number,
  use: (bytes: Buffer) => Result,
): Promise<Result> {
  const result = await readBeginning(files, path, limit, use);
  if (result === undefined) throw new Vanished(`${path} went away`);
  return result;
}

async function statOf(files: Files, path: string): Promise<Stats> {
  const found = await statIfThere(files, path);
  if (found === undefined) throw new Vanished(`${path} went away`);
  return found;
}

async function readFolder(files: Files, path: string): Promise<Dirent[]> {
  return files.readdir(path, { withFileTypes: true });
}

function foreignEntry(entry: Dirent, path: string): ForeignEntry {
  if (entry.isDirectory()) return { path, reason: "folder", detail: "is a folder" };
  if (entry.isSymbolicLink()) return { path, reason: "link", detail: "is a symbolic link" };
  if (!entry.isFile()) return { path, reason: "special_file", detail: "is not a regular file" };
  return foreignName(path);
}
