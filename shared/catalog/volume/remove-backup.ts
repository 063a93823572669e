import { join } from "node:path";
import type { ArchiveName } from "../archive-name.ts";
import * as file from "./files.ts";
import type { Files } from "./files.ts";
import { readCode } from "../../errors.ts";

/** Manifest first, and on disk so, before the archive goes: a crash leaves nothing that counts as a backup. */
export async function removeBackup(files: Files, backupDir: string, name: ArchiveName): Promise<void> {
  const path = join(backupDir, name);
  const folder = join(path, "..");
  try {
    await file.removeIfThere(files, `${path}.json`);
    await syncIfThere(files, folder);
    await removeArchive(files, path);
  } catch (error) {
    throw file.volumeError(error, `folder of ${name}`);
  }
}

/** What is left of `removeBackup` for one that ended after the manifest was gone. Answers whether the archive was. */
export async function finishRemoval(
  files: Files,
  backupDir: string,
  name: ArchiveName,
  sizeBytes: number,
): Promise<boolean> {
  const path = join(backupDir, name);
  const [archive, manifest] = [
    await file.statIfThere(files, path),
    await file.statIfThere(files, `${path}.json`),
  ];
  const isOurs = archive === undefined || (archive.isFile() && archive.size === sizeBytes);
  if (manifest !== undefined || !isOurs) return false;
  try {
    await removeArchive(files, path);
    return archive !== undefined;
  } catch (error) {
    throw file.volumeError(error, `folder of ${name}`);
  }
}

async function removeArchive(files: Files, path: string): Promise<void> {
  const folder = join(path, "..");
  await file.removeIfThere(files, path);
  await syncIfThere(files, folder);
  await file.removeFolderIfEmpty(files, folder);
  await syncIfThere(files, join(folder, ".."));
}

/** Another cull may have removed the folder with its last file. */
async function syncIfThere(files: Files, folder: string): Promise<void> {
  await file.syncFolder(files, folder).catch((error: unknown) => {
    if (readCode(error) !== "ENOENT") throw error;
  });
}
