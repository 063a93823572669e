import type { ArchiveName } from "../../../shared/catalog/archive-name.ts";
import { isPartial, type Backup } from "../../../shared/catalog/backup.ts";
import { isAhead } from "../../../shared/retention/keep-rules.ts";

/** A database of which there is no backup as young as there should be: whatever wakes the backup function may sleep. */
export type Staleness = {
  /** The newest that was read to its end, if any was. */
  readonly newest?: ArchiveName;
  readonly startedAt?: string;
  readonly detail: string;
};

const HOUR_MS = 3_600_000;

/**
 * Of the backups of one database, newest first. What one holds is as old as its begin, unless a wrong clock stamped it
 * ahead of now, which would hide for long that none follows. With 0 hours nothing is stale.
 */
export function findStaleness(
  ordered: readonly Backup[],
  staleHours: number,
  now: Date,
): Staleness | undefined {
  if (staleHours === 0) return undefined;
  const whole = ordered.filter((backup) => !isPartial(backup));
  const newest = whole.find((backup) => !isAhead(backup, { now }));
  if (ordered.length === 0) return { detail: "there is no backup of it" };
  if (whole.length === 0) return { detail: "each backup lacks rows that its caller had left out" };
  if (newest === undefined) return { detail: "each backup is stamped in the future" };
  const ageMs = now.getTime() - newest.startedAt.getTime();
  if (ageMs <= staleHours * HOUR_MS) return undefined;
  const age = `${Math.floor(ageMs / HOUR_MS)} hours old, and ${staleHours} are allowed`;
  return {
    newest: newest.name,
    startedAt: newest.startedAt.toISOString(),
    detail: `the newest backup, ${newest.name}, is ${age}`,
  };
}
