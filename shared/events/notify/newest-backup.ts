import { isPartial, newestFirst } from "../../catalog/backup.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import { isAhead } from "../../retention/keep-rules.ts";

const WITHIN_MS = 3_000;

/** What would be restored now, for a person who reads that a backup failed. */
export async function describeNewest(
  volume: Pick<Catalog, "list">,
  database: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    const now = new Date();
    const { backups } = await volume.list(AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]));
    const [newest] = backups
      .filter((backup) => backup.database === database && !isPartial(backup) && !isAhead(backup, { now }))
      .toSorted(newestFirst);
    if (newest === undefined) return `There is no backup of ${database} on the volume.`;
    const hours = Math.round((now.getTime() - newest.finishedAt.getTime()) / 3_600_000);
    return `The newest backup on the volume is ${hours} hours old: ${newest.name}`;
  } catch {
    return "The newest backup is unknown: the volume cannot be listed.";
  }
}
