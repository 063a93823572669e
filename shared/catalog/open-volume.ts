import { constants } from "node:fs";
import { access, mkdir, stat } from "./volume-calls.ts";
import { join } from "node:path";
import { DormouseError } from "../errors.ts";

/**
 * Looks at BACKUP_DIR when a function starts. It is never made: a missing folder is a missing mount, and a backup on
 * the container's own disk would be gone with the pod. Throws `configuration_invalid`.
 */
export async function openVolume(backupDir: string): Promise<void> {
  const found = await stat(backupDir).catch((error: unknown) => {
    throw unusable(backupDir, "cannot be reached", "mount the backup volume there", error);
  });
  if (!found.isDirectory())
    throw unusable(backupDir, "is not a folder", "give the folder of the backup volume");
  try {
    await access(backupDir, constants.R_OK | constants.W_OK | constants.X_OK);
    await mkdir(runsFolder(backupDir), { recursive: true, mode: 0o700 });
    await access(runsFolder(backupDir), constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const hint = "mount the volume read-write and let the pod's user or fsGroup write to it";
    throw unusable(backupDir, "is not writable", hint, error);
  }
}

export function runsFolder(backupDir: string): string {
  return join(backupDir, ".dormouse", "runs");
}

function unusable(backupDir: string, why: string, hint: string, cause?: unknown): DormouseError {
  return new DormouseError("configuration_invalid", `BACKUP_DIR ${backupDir} ${why}`, { hint, cause });
}
