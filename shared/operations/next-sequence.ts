import type { Backup } from "../backup/backup.ts";
import type { RunContext } from "../backup/run.ts";
import { asDormouseError } from "../errors.ts";
import type { BackupDependencies } from "./backup-request.ts";

/**
 * The number of the next backup. An empty volume may be a new one: then the bucket knows how far we were, and a count
 * from 1 would make the newest backups there look like the oldest. If it cannot be asked, the number is one that no
 * count reaches: the seconds since 1970.
 */
export async function nextSequence(
  { mirroring, log, now }: BackupDependencies,
  { database, newest }: { readonly database: string; readonly newest: Backup | undefined },
  { run, signal }: RunContext,
): Promise<number> {
  if (newest !== undefined) return newest.sequence + 1;
  if (mirroring === undefined) return 1;
  try {
    const { backups } = await mirroring.mirror.list(signal);
    return Math.max(0, ...backups.filter((b) => b.database === database).map(({ sequence }) => sequence)) + 1;
  } catch (error) {
    if (signal.aborted) throw error;
    const { code, message } = asDormouseError(error);
    log.warn("bucket not asked for its last backup", { run: run.id, code, error: message });
    return Math.floor(now().getTime() / 1000);
  }
}
