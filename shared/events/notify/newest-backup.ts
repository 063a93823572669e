import { volumeCatalog } from "../../catalog/volume/volume-catalog.ts";
import { newestFirst } from "../../catalog/backup.ts";

const WITHIN_MS = 3_000;

/** What would be restored now, for a person who reads that a backup failed. */
export async function describeNewest(folder: string, database: string, signal: AbortSignal): Promise<string> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
    const { backups } = await volumeCatalog(folder).list(limit);
    const [newest] = backups.filter((backup) => backup.database === database).toSorted(newestFirst);
    if (newest === undefined) return `There is no backup of ${database} on the volume.`;
    const hours = Math.round((Date.now() - newest.finishedAt.getTime()) / 3_600_000);
    return `The newest backup on the volume is ${hours} hours old: ${newest.name}`;
  } catch {
    return "The newest backup is unknown: the volume cannot be listed.";
  }
}
