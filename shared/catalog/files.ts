import type { Stats } from "node:fs";
import type * as promises from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { DormouseError, type ErrorCode } from "../errors.ts";

/** What this layer asks of the file system: a parameter, so that a test can let each call fail or be the last. */
export type Files = Pick<
  typeof promises,
  "link" | "lstat" | "mkdir" | "open" | "readdir" | "rename" | "rmdir" | "statfs" | "unlink"
>;

/** Where hard links do not exist: SMB, FUSE, mounted buckets. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);
const KINDS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ["disk_full", "make room on the volume, or lower NUM_BACKUPS and let a cull run"],
  EDQUOT: ["disk_full", "raise the quota of the volume, or lower NUM_BACKUPS and let a cull run"],
  EROFS: ["volume_unwritable", "mount the volume read-write"],
  EACCES: ["volume_unwritable", "let the pod's user or fsGroup write to the volume"],
  EPERM: ["volume_unwritable", "let the pod's user or fsGroup write to the volume"],
  EIO: ["volume_unwritable", "the storage failed: check the volume before you trust it"],
  ESTALE: ["volume_unwritable", "the volume was detached: check its mount"],
};

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** An error of the file system as ours; anything else unchanged. `what` is like `archive of hets`. */
export function volumeError(error: unknown, what: string): unknown {
  const [code, hint] = KINDS[codeOf(error)] ?? [];
  if (code === undefined || error instanceof DormouseError) return error;
  return new DormouseError(code, `${what} cannot be written: ${(error as Error).message}`, {
    hint,
    cause: error,
  });
}

/** Ends the temporary name of a manifest whose archive is given its name as well: both belong to the run. */
export const OF_BACKUP = ".backup.json";
/** Ends that of a manifest for an archive that was there before. */
export const OF_MANIFEST = ".manifest.json";

/** In the folder of the file that it will become, and known by the run that writes it. */
export function temporaryName(run: string, end = ""): string {
  return `.tmp-${run}-${randomBytes(4).toString("hex")}${end}`;
}

export function isTemporaryOf(run: string, file: string): boolean {
  return file.startsWith(`.tmp-${run}-`);
}

/** A new name in a folder is on disk only when the folder is (fsync(2)). */
export async function syncFolder(files: Files, folder: string): Promise<void> {
  const handle = await files.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A whole small file, synced, that was not there before. */
export async function writeNew(files: Files, path: string, text: string): Promise<void> {
  const handle = await files.open(path, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives `temporary` the name `final` unless that is taken, which answers false. `temporary` is gone afterwards. */
export async function moveWithoutClobbering(
  files: Files,
  temporary: string,
  final: string,
): Promise<boolean> {
  try {
    await files.link(temporary, final);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    if (!NO_LINKS.has(codeOf(error))) throw error;
    return reserveAndRename(files, temporary, final);
  }
  await removeIfThere(files, temporary);
  return true;
}

/** A crash in between leaves an empty file of that name, and `temporary`. */
async function reserveAndRename(files: Files, temporary: string, final: string): Promise<boolean> {
  const reserved = await files.open(final, "wx", 0o600).catch((error: unknown) => {
    if (codeOf(error) === "EEXIST") return undefined;
    throw error;
  });
  if (reserved === undefined) return false;
  try {
    await reserved.close();
    // Whoever found it empty for long has taken it for that of a dead process.
    if (((await lookAt(files, final))?.size ?? 0) > 0) return false;
    await files.rename(temporary, final);
    return true;
  } catch (error) {
    await clearUp(() => removeIfThere(files, final));
    throw error;
  }
}

/** Whether there was something to remove. */
export async function removeIfThere(files: Files, path: string): Promise<boolean> {
  try {
    await files.unlink(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** What has that name; no link is followed. */
export async function lookAt(files: Files, path: string): Promise<Stats | undefined> {
  try {
    return await files.lstat(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return undefined;
    throw error;
  }
}

export async function removeFolderIfEmpty(files: Files, folder: string): Promise<void> {
  try {
    await files.rmdir(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT", "EBUSY"].includes(codeOf(error))) throw error;
  }
}

/** Clears up after a failure. What fails then must not hide why it was needed; the next run sweeps what stays. */
export async function clearUp(...steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const step of steps) await step().catch(() => undefined);
}
