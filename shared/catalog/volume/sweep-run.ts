import * as file from "./files.ts";
import { dirname, join } from "node:path";
import { parseArchiveName, TIERS } from "../archive-name.ts";
import { parseManifest, type BackupManifest } from "../manifest.ts";
import { isSame } from "../digest.ts";
import { readDigest } from "./file-digest.ts";
import type { Files } from "./files.ts";
import { isDate } from "./list-volume.ts";
import { openRegular, readWhole } from "./open-regular.ts";
import { runsFolder } from "./open-volume.ts";
import type { Leftover } from "../catalog.ts";
import { readCode } from "../../errors.ts";
import { mapConcurrently, never } from "../../waiting.ts";

/** To write a small file takes milliseconds, and no call waits for the volume so long. */
const WRITTEN_WITHIN_MS = 3_600_000;
/** One after the other, a network file system would take seconds for the folders of some years. */
const FOLDERS_AT_ONCE = 16;

/** Removes the temporary files of a run that has ended, and the names that it took for a backup it did not complete. */
export async function sweepRun(files: Files, backupDir: string, run: string): Promise<void> {
  for (const folder of ownFolders(backupDir)) await sweepSmall(files, folder, run);
  const left = await temporariesIn(files, await dayFolders(files, backupDir));
  for (const [folder, of] of Map.groupBy(
    left.filter((each) => each.run === run),
    (each) => each.folder,
  )) {
    for (const { name } of of) {
      await removeUncommitted(files, backupDir, join(folder, name));
      // Last: a sweep that ends before finds it again.
      await file.removeIfThere(files, join(folder, name));
    }
    await file.removeFolderIfEmpty(files, folder);
  }
}

/** The writer of a record need not hold the lock: a run that failed is asked for again, one that has its backup sends it. */
async function sweepSmall(files: Files, folder: string, run: string): Promise<void> {
  for (const { name, run: writer } of await temporariesIn(files, [folder])) {
    if (writer !== run) continue;
    const stats = await file.statIfThere(files, join(folder, name));
    const isLeft = stats !== undefined && Date.now() - stats.ctimeMs > WRITTEN_WITHIN_MS;
    if (isLeft) await file.removeIfThere(files, join(folder, name));
  }
}

/** Of the records, and of the notes beside them, of which each kind is named as if it were one run that has no record. */
function ownFolders(backupDir: string): readonly string[] {
  const records = runsFolder(backupDir);
  return [dirname(records), records];
}

/** All folders in which backups may lie. */
async function dayFolders(files: Files, backupDir: string): Promise<readonly string[]> {
  const tiers = (await foldersIn(files, backupDir)).filter((name) => TIERS.has(name));
  const days: string[] = [];
  for (const parent of ["", ...tiers]) {
    const names = await foldersIn(files, join(backupDir, parent)).catch((error: unknown) => {
      // A cull may have removed it meanwhile.
      if (parent !== "" && (file.isOutOfReach(error) || readCode(error) === "ENOENT")) return [];
      throw error;
    });
    days.push(...names.filter(isDate).map((name) => join(backupDir, parent, name)));
  }
  return days;
}

async function foldersIn(files: Files, path: string): Promise<string[]> {
  const entries = await files.readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** A manifest that still has its temporary name completes nothing. What it was to complete is known by its hash. */
async function removeUncommitted(files: Files, backupDir: string, temporary: string): Promise<void> {
  const manifest = await readPrepared(files, temporary);
  if (manifest === undefined) return;
  const path = join(backupDir, manifest.name);
  if (dirname(path) !== dirname(temporary)) return;

  const completed = await file.statIfThere(files, `${path}.json`);
  if (completed !== undefined && completed.size > 0) return;
  // Where there are no hard links, a name is first taken by an empty file.
  if (completed?.isFile() === true) await file.removeIfThere(files, `${path}.json`);
  const isOfBackup = temporary.endsWith(file.OF_BACKUP);
  if (isOfBackup && (await isOurs(files, path, manifest))) await file.removeIfThere(files, path);
}

/** `undefined` for what is no manifest, and for one that was not written to its end: nothing had been named by it. */
async function readPrepared(files: Files, path: string): Promise<BackupManifest | undefined> {
  if (!path.endsWith(file.OF_BACKUP) && !path.endsWith(file.OF_MANIFEST)) return undefined;
  try {
    const text = (await readWhole(files, path)) ?? "";
    const { name } = JSON.parse(text) as { readonly name?: unknown };
    const parts = parseArchiveName(String(name));
    return parts && parseManifest(parts.name, text);
  } catch {
    return undefined;
  }
}

async function isOurs(files: Files, path: string, { archive }: BackupManifest): Promise<boolean> {
  const found = await file.statIfThere(files, path);
  if (found?.isFile() !== true) return false;
  if (found.size === 0) return true;
  if (found.size !== archive.sizeBytes) return false;
  const handle = await openRegular(files, path);
  if (handle === undefined) return false;
  try {
    return isSame(await readDigest(handle, never), archive);
  } finally {
    await handle.close();
  }
}

/** What is out of reach holds nothing that this process could remove. */
async function namesIn(files: Files, folder: string): Promise<readonly string[]> {
  try {
    return (await unlessGone(files.readdir(folder))) ?? [];
  } catch (error) {
    if (file.isOutOfReach(error)) return [];
    throw error;
  }
}

/** A cull may remove a folder meanwhile, and another sweep the same file. */
async function unlessGone<Found>(found: Promise<Found>): Promise<Found | undefined> {
  try {
    return await found;
  } catch (error) {
    if (readCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

type Temporary = { readonly folder: string; readonly name: string; readonly run: string };

/** What has a temporary name in each of `folders`: thousands, of which hardly one holds any. */
async function temporariesIn(files: Files, folders: readonly string[]): Promise<readonly Temporary[]> {
  const found = await mapConcurrently(folders, FOLDERS_AT_ONCE, async (folder) =>
    (await namesIn(files, folder)).flatMap((name) => {
      const run = file.runOfTemporary(name);
      return run === undefined ? [] : [{ folder, name, run }];
    }),
  );
  return found.flat();
}

/** Everything under a temporary name in the folders of the days and in ours, one entry for each run that wrote it. */
export async function listLeftovers(files: Files, backupDir: string): Promise<readonly Leftover[]> {
  const found = new Map<string, Leftover>();
  const folders = [...(await dayFolders(files, backupDir)), ...ownFolders(backupDir)];
  for (const { folder, name, run } of await temporariesIn(files, folders)) {
    const stats = await file.statIfThere(files, join(folder, name));
    if (stats === undefined) continue;
    const { sizeBytes, files: count, changedAt } = found.get(run) ?? NONE;
    // ctime: to be renamed is a sign of life as well, and no tool sets it back.
    const newest = Math.max(changedAt.getTime(), stats.ctimeMs);
    found.set(run, {
      run,
      files: count + 1,
      sizeBytes: sizeBytes + stats.size,
      changedAt: new Date(newest),
    });
  }
  return [...found.values()];
}

const NONE = { files: 0, sizeBytes: 0, changedAt: new Date(0) };
