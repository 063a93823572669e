import { randomUUID } from "node:crypto";
import { link, open, readFile, rm, statfs } from "./volume-calls.ts";
import { join } from "node:path";
import { good, type Check } from "../backup/finding.ts";
import { DormouseError } from "../errors.ts";
import { runsFolder } from "./open-volume.ts";

/** A backup that is published needs about this much besides its archive. */
const LITTLE_BYTES = 64 * 1024 * 1024;

/** Does with a few bytes what publishing a backup does: writes, syncs, reads back, links without replacing, removes. */
export function volumeCheck(backupDir: string): Check {
  return {
    name: "volume",
    async look() {
      await rehearsePublishing(join(runsFolder(backupDir), `doctor-${randomUUID()}`), backupDir);
      const { bavail, bsize } = await statfs(backupDir);
      const freeBytes = bavail * bsize;
      const free = `${Math.floor(freeBytes / 1024 / 1024)} MiB are free in BACKUP_DIR ${backupDir}`;
      if (freeBytes < LITTLE_BYTES) {
        return [
          { state: "warning", detail: `only ${free}`, fix: "enlarge the volume, or keep fewer backups" },
        ];
      }
      return [good(`it can be written, synced, linked and read, and ${free}`)];
    },
  };
}

async function rehearsePublishing(path: string, backupDir: string): Promise<void> {
  const [temporary, final] = [`${path}.tmp`, `${path}.done`];
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(path);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, final);
    if ((await readFile(final, "utf8")) !== path)
      throw new Error("it reads back other bytes than were written");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DormouseError("volume_unwritable", `BACKUP_DIR ${backupDir} cannot hold a backup: ${why}`, {
      hint: "mount the claim read-write; on Kubernetes set fsGroup (manifests/overlays/kubernetes)",
      cause: error,
    });
  } finally {
    await Promise.all([rm(temporary, { force: true }), rm(final, { force: true })]);
  }
}
