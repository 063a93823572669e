import { join } from "node:path";
import { isAbandoned } from "../catalog/catalog.ts";
import { good, type Check, type Finding } from "./finding.ts";
import { DormouseError, readMessage } from "../errors.ts";
import * as file from "../catalog/volume/files.ts";
import { readWhole } from "../catalog/volume/open-regular.ts";
import { listLeftovers } from "../catalog/volume/sweep-run.ts";
import * as promises from "../catalog/volume/volume-calls.ts";

type Found = Omit<Finding, "check">;

const DOCTOR = "doctor";
/** A backup that is published needs about this much besides its archive. */
const LITTLE_BYTES = 64 * 1024 * 1024;

/**
 * Does with a few bytes what publishing a backup does, by the same calls: makes a folder in BACKUP_DIR, writes, syncs, gives a name
 * without replacing, reads back, removes.
 */
export function volumeCheck(backupDir: string): Check {
  return {
    name: "volume",
    run: async () => [await writing(backupDir), ...(await abandoned(backupDir))],
  };
}

async function writing(backupDir: string): Promise<Found> {
  await sweepOwn(backupDir);
  const { isNameSynced } = await rehearsePublishing(backupDir);
  const freeBytes = file.freeBytesOf(await promises.statfs(backupDir));
  const mebibytes = Number.isFinite(freeBytes) ? Math.floor(freeBytes / 1024 / 1024) : "an unknown number of";
  const free = `${mebibytes} MiB are free in BACKUP_DIR ${backupDir}`;
  if (freeBytes < LITTLE_BYTES)
    return { state: "warning", detail: `only ${free}`, fix: "enlarge the volume, or keep fewer backups" };
  if (isNameSynced) return good(`it can be written, synced, named and read, and ${free}`);
  return {
    state: "warning",
    detail: `its folders cannot be synced: a node that loses its power may lose the newest backup's name; ${free}`,
    fix: "use storage on which fsync of a folder works, or mirror each backup to a bucket",
  };
}

/** What interrupted runs left, of whichever database, and no run has removed in a day. */
async function abandoned(backupDir: string): Promise<readonly Found[]> {
  const left = (await listLeftovers(promises, backupDir)).filter((each) => isAbandoned(each, new Date()));
  if (left.length === 0) return [];
  const files = left.reduce((sum, each) => sum + each.files, 0);
  const bytes = left.reduce((sum, each) => sum + each.sizeBytes, 0);
  return [
    {
      state: "warning",
      detail: `${files} temporary files of interrupted runs, ${bytes} bytes, have been left for more than a day`,
      fix: "the next backup of each database removes those of its ended runs; remove .tmp-* files that stay after it by hand",
    },
  ];
}

const LEFT_AFTER_MS = 3_600_000;

/** What a doctor has left that was killed: no other takes an hour for a few bytes. What cannot go stays for the next. */
async function sweepOwn(backupDir: string): Promise<void> {
  const own = (await promises.readdir(backupDir)).filter((name) => file.runOfTemporary(name) === DOCTOR);
  for (const path of own.map((name) => join(backupDir, name))) {
    const stats = await file.statIfThere(promises, path);
    if (stats === undefined || Date.now() - stats.ctimeMs < LEFT_AFTER_MS) continue;
    await file.clearUp(() => promises.rm(path, { recursive: true, force: true }));
  }
}

async function rehearsePublishing(backupDir: string): Promise<{ readonly isNameSynced: boolean }> {
  const folder = join(backupDir, file.temporaryName(DOCTOR));
  const [temporary, final] = [join(folder, "tmp"), join(folder, "done")];
  try {
    await promises.mkdir(folder, { mode: file.FOLDER_MODE });
    await file.writeNew(promises, temporary, folder);
    await file.moveWithoutClobbering(promises, temporary, final);
    const isNameSynced = await file.syncFolder(promises, folder);
    if ((await readWhole(promises, final)) !== folder)
      throw new Error("it reads back other bytes than were written");
    return { isNameSynced };
  } catch (error) {
    const why = readMessage(error);
    throw new DormouseError("volume_unwritable", `BACKUP_DIR ${backupDir} cannot hold a backup: ${why}`, {
      hint: "mount the claim read-write; on Kubernetes set fsGroup (manifests/overlays/kubernetes)",
      cause: error,
    });
  } finally {
    await promises.rm(folder, { recursive: true, force: true });
  }
}
