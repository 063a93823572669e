import { access, chmod, constants, mkdir, stat } from "./volume-calls.ts";
import { join } from "node:path";
import { DormouseError, readCode } from "../../errors.ts";
import { accessFault, FOLDER_MODE } from "./files.ts";

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
  await refuseDenied(backupDir, backupDir);
  try {
    await mkdir(runsFolder(backupDir), { recursive: true, mode: FOLDER_MODE });
  } catch (error) {
    await refuseDenied(backupDir, join(backupDir, ".dormouse"));
    throw unusable(backupDir, "is not writable", "mount the volume read-write", error);
  }
  for (const folder of [join(backupDir, ".dormouse"), runsFolder(backupDir)]) {
    await openToGroup(folder);
    await refuseDenied(backupDir, folder);
  }
}

/** What an earlier version made for its own user alone; another user may not, and need not. */
async function openToGroup(folder: string): Promise<void> {
  await chmod(folder, FOLDER_MODE).catch(() => undefined);
}

async function refuseDenied(backupDir: string, folder: string): Promise<void> {
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    if (readCode(error) !== "EACCES")
      throw unusable(backupDir, "is not writable", "mount the volume read-write", error);
    const { why, hint } = await accessFault(folder);
    throw unusable(backupDir, `cannot be used: ${why}`, hint, error);
  }
}

export function runsFolder(backupDir: string): string {
  return join(backupDir, ".dormouse", "runs");
}

function unusable(backupDir: string, why: string, hint: string, cause?: unknown): DormouseError {
  return new DormouseError("configuration_invalid", `BACKUP_DIR ${backupDir} ${why}`, { hint, cause });
}
