import type { Backup } from "../../../shared/catalog/backup.ts";
import type { Staleness } from "./staleness.ts";

const DAY_MS = 86_400_000;
/** As far as the clocks of two pods differ. */
const SKEW_MS = 2 * 60_000;

/**
 * Of the backups of one database, newest first: whether too long ago none of them was loaded and compared. With 0 days
 * no rehearsals are expected, and nothing is stale.
 */
export function findStaleRehearsal(
  ordered: readonly Backup[],
  staleDays: number,
  now: Date,
): Staleness | undefined {
  if (staleDays === 0 || ordered.length === 0) return undefined;
  const failed = ordered.find(({ manifest }) => manifest.verification.failed !== undefined);
  const failure =
    failed === undefined
      ? ""
      : `; the one of ${failed.name} failed: ${failed.manifest.verification.failed?.code}`;
  const since = Math.min(...ordered.map(({ startedAt }) => startedAt.getTime()));
  const [last] = ordered
    // What a wrong clock stamped would keep the alarm quiet for as long as it is ahead.
    .filter(
      (backup) => backup.manifest.verification.level !== "read" && atOf(backup) <= now.getTime() + SKEW_MS,
    )
    .toSorted((a, b) => atOf(b) - atOf(a));
  const ageDays = Math.floor((now.getTime() - (last === undefined ? since : atOf(last))) / DAY_MS);
  if (ageDays < staleDays) return undefined;
  if (last === undefined)
    return {
      detail: `no rehearsal has proved any backup of it, and the first one is ${ageDays} days old${failure}`,
    };
  return {
    newest: last.name,
    startedAt: last.startedAt.toISOString(),
    detail: `the last good rehearsal, of ${last.name}, was ${ageDays} days ago, and ${staleDays} are allowed${failure}`,
  };
}

function atOf({ manifest }: Backup): number {
  return Date.parse(manifest.verification.at);
}
