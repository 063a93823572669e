import type { Stats, StatsFs } from "node:fs";
import { randomBytes } from "node:crypto";
import { DormouseError, type ErrorCode, readCode } from "../../errors.ts";
import type * as calls from "./volume-calls.ts";
import { STORAGE, stat } from "./volume-calls.ts";

/** What this layer asks of the file system: a parameter, so that a test can let each call fail or be the last. */
export type Files = Pick<
  typeof calls,
  "link" | "lstat" | "mkdir" | "open" | "readdir" | "readRegular" | "rename" | "rmdir" | "statfs" | "unlink"
>;

/**
 * Of what lies on the volume: for the pod's group as well, since a pod of another namespace, or after one was made anew, has
 * another user of the same group. The umask is set for it when a function starts.
 */
export const FILE_MODE = 0o660;
export const FOLDER_MODE = 0o770;

/** Folders that cannot be synced: CIFS, vboxsf, some FUSE. PostgreSQL passes over the same (fsync_fname). */
const NO_FOLDER_SYNC = new Set(["EINVAL", "EBADF", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);
const FOR_THE_GROUP =
  "as the owner of that path, or as root, run chmod -R g+rwX and chgrp -R to the pod's group on BACKUP_DIR; on Kubernetes fsGroup does so";

/** Where hard links do not exist: SMB, FUSE, mounted buckets; or not between the file systems that mergerfs makes one of. */
const NO_LINKS = new Set(["EPERM", "EXDEV", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);
const KINDS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ["disk_full", "make room on the volume, or lower NUM_BACKUPS and let a cull run"],
  EDQUOT: ["disk_full", "raise the quota of the volume, or lower NUM_BACKUPS and let a cull run"],
  EROFS: ["volume_unwritable", "mount the volume read-write"],
  EACCES: ["volume_unwritable", FOR_THE_GROUP],
  EPERM: ["volume_unwritable", FOR_THE_GROUP],
  EIO: ["volume_unwritable", `the storage failed, and other files may have: ${STORAGE}`],
  ESTALE: ["volume_unwritable", `the volume was detached, kubectl delete pod mounts it anew: ${STORAGE}`],
};

/** Some FUSE file systems say neither how large they are nor what is free: all of it is zero then. */
export function freeBytesOf({ blocks, bavail, bsize }: StatsFs): number {
  return blocks === 0 ? Infinity : bavail * bsize;
}

/** An error of the file system as ours; anything else unchanged. `what` is like `archive of hets`. */
export function volumeError(error: unknown, what: string): unknown {
  const [code, hint] = KINDS[readCode(error)] ?? [];
  if (code === undefined || error instanceof DormouseError) return error;
  return new DormouseError(code, `${what} cannot be written: ${(error as Error).message}`, {
    hint,
    cause: error,
  });
}

/** Whether another user keeps a file or folder to itself. */
export function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(readCode(error));
}

/** EBADMSG and EUCLEAN, by which file systems with checksums say so, have no names in Node. */
const LOST = new Set(["EIO", "Unknown system error -74", "Unknown system error -117"]);

/** Whether one file or folder is out of reach, denied or lost by the disk, and the others need not be. */
export function isOutOfReach(error: unknown): boolean {
  return isDenied(error) || LOST.has(readCode(error));
}

/** A file of ours that cannot be read, as ours; anything else unchanged. `what` is like `record of run cull-1`. */
export function unreadable(error: unknown, what: string): unknown {
  if (readCode(error) === "" || error instanceof DormouseError) return error;
  return new DormouseError("catalog_unreadable", `${what} cannot be read: ${(error as Error).message}`, {
    hint: isDenied(error) ? FOR_THE_GROUP : STORAGE,
    cause: error,
  });
}

/** What keeps this process out of `path`: its owner, and the user of this process. */
export async function accessFault(path: string): Promise<{ readonly why: string; readonly hint: string }> {
  const { uid, gid, mode } = await stat(path);
  const owner = `${uid}:${gid} with mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
  const process_ = `${process.getuid?.()}:${[...new Set([process.getgid?.(), ...(process.getgroups?.() ?? [])])].join(",")}`;
  return { why: `${path} belongs to ${owner}, and this process is ${process_}`, hint: FOR_THE_GROUP };
}

/** Ends the temporary name of a manifest whose archive is given its name as well: both belong to the run. */
export const OF_BACKUP = ".backup.json";
/** Ends that of a manifest for an archive that was there before. */
export const OF_MANIFEST = ".manifest.json";

/** In the folder of the file that it will become, and known by the run that writes it. */
export function temporaryName(run: string, end = ""): string {
  return `.tmp-${run}-${randomBytes(4).toString("hex")}${end}`;
}

/** The run that a temporary name bears; `undefined` for any other name. */
export function runOfTemporary(file: string): string | undefined {
  return /^\.tmp-(.+)-[0-9a-f]+(?:\.backup\.json|\.manifest\.json)?$/.exec(file)?.[1];
}

/** A new name in a folder is on disk only when the folder is (fsync(2)). Answers false where folders cannot be synced. */
export async function syncFolder(files: Files, folder: string): Promise<boolean> {
  const handle = await files.open(folder, "r");
  try {
    await handle.sync();
    return true;
  } catch (error) {
    if (NO_FOLDER_SYNC.has(readCode(error))) return false;
    throw error;
  } finally {
    await handle.close();
  }
}

/** A whole small file, synced, that was not there before. */
export async function writeNew(files: Files, path: string, text: string): Promise<void> {
  const handle = await files.open(path, "wx", FILE_MODE);
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
    if (readCode(error) === "EEXIST") return false;
    if (!NO_LINKS.has(readCode(error))) throw error;
    return reserveAndRename(files, temporary, final);
  }
  await removeIfThere(files, temporary);
  return true;
}

/** A crash in between leaves an empty file of that name, and `temporary`. */
async function reserveAndRename(files: Files, temporary: string, final: string): Promise<boolean> {
  const reserved = await files.open(final, "wx", FILE_MODE).catch((error: unknown) => {
    if (readCode(error) === "EEXIST") return undefined;
    throw error;
  });
  if (reserved === undefined) return false;
  try {
    await reserved.close();
    // A process that found it empty for long has taken it for that of a dead one.
    if (((await statIfThere(files, final))?.size ?? 0) > 0) return false;
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
    if (readCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** What has that name, which may be longer than any can be; no link is followed. */
export async function statIfThere(files: Files, path: string): Promise<Stats | undefined> {
  try {
    return await files.lstat(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(readCode(error))) return undefined;
    throw error;
  }
}

export async function removeFolderIfEmpty(files: Files, folder: string): Promise<void> {
  try {
    await files.rmdir(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT", "EBUSY"].includes(readCode(error))) throw error;
  }
}

/** Clears up after a failure. What fails then must not hide why it was needed; the next run sweeps what stays. */
export async function clearUp(...steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const step of steps) await step().catch(() => undefined);
}
