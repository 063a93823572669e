import { join } from "node:path";
import type { ArchiveName } from "../archive-name.ts";
import type { ArchiveDraft, StagedArchive } from "../catalog.ts";
import type { BackupManifest } from "../manifest.ts";
import { DormouseError, readCode } from "../../errors.ts";
import { isSame, type Digest } from "../digest.ts";
import { readDigest, writeAll } from "../volume/file-digest.ts";
import * as file from "../volume/files.ts";
import type { Files } from "../volume/files.ts";
import { STORAGE } from "../volume/volume-calls.ts";
import { publishArchive } from "./publish-archive.ts";

/** The design's publishing order; a crash between any two lines leaves nothing that counts as a backup. */
export async function stageArchive(
  files: Files,
  backupDir: string,
  draft: ArchiveDraft,
  { archive, signal }: { readonly archive: AsyncIterable<Uint8Array>; readonly signal: AbortSignal },
): Promise<StagedArchive> {
  return stageFile(files, backupDir, draft, async ({ path, what }) => {
    const written = await writeArchive(files, path, archive, signal);
    await compare(files, path, written, { what, signal });
    return written;
  });
}

/** Where the archive is written, and what it is called in an error. */
type Drafted = { readonly path: string; readonly what: string };

/** `write` writes, syncs and proves the file, and answers what is in it. When it throws, nothing is left. */
export async function stageFile(
  files: Files,
  backupDir: string,
  draft: ArchiveDraft,
  write: (drafted: Drafted) => Promise<Digest>,
): Promise<StagedArchive> {
  const folder = join(backupDir, formatDate(draft));
  const temporary = join(folder, file.temporaryName(draft.run));
  const what = `archive of ${JSON.stringify(draft.database)}`;

  async function discard(): Promise<void> {
    await file.removeIfThere(files, temporary);
    await file.removeFolderIfEmpty(files, folder);
  }

  try {
    await openFolder(files, backupDir, folder);
    const written = await write({ path: temporary, what });
    const publish = (describe: (name: ArchiveName) => BackupManifest) =>
      publishArchive({ files, backupDir, folder, temporary, draft }, describe);
    return { ...written, publish, discard };
  } catch (error) {
    await file.clearUp(discard);
    throw file.volumeError(error, what);
  }
}

function formatDate({ startedAt }: ArchiveDraft): string {
  return startedAt.toISOString().slice(0, 10);
}

/** Makes the folder of the day unless it is there; a link in its place is not followed. */
async function openFolder(files: Files, backupDir: string, folder: string): Promise<void> {
  try {
    await files.mkdir(folder, { mode: file.FOLDER_MODE });
    await file.syncFolder(files, backupDir);
  } catch (error) {
    if (readCode(error) !== "EEXIST") throw error;
    if ((await files.lstat(folder)).isDirectory()) return;
    throw new DormouseError("volume_unwritable", `${folder} is not a folder`, {
      hint: `mv ${folder} ${folder}.aside, in a pod that mounts the volume; the next run makes the folder`,
      cause: error,
    });
  }
}

async function writeArchive(
  files: Files,
  path: string,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Digest> {
  const handle = await files.open(path, "wx", file.FILE_MODE);
  try {
    const digest = await writeAll(handle, archive, signal);
    // A failed fsync is final: a second one may succeed without the bytes being there.
    await handle.sync();
    return digest;
  } finally {
    await handle.close();
  }
}

async function compare(
  files: Files,
  path: string,
  written: Digest,
  { what, signal }: { readonly what: string; readonly signal: AbortSignal },
): Promise<void> {
  const handle = await files.open(path, "r");
  try {
    if (!isSame(await readDigest(handle, signal), written)) throw changedBytes(what);
  } finally {
    await handle.close();
  }
}

export function changedBytes(what: string): DormouseError {
  return new DormouseError("archive_damaged", `${what} reads back otherwise than it was written`, {
    hint: `the storage changed the bytes: mend it before you trust a backup on it; ${STORAGE}`,
  });
}
