import { planCull, type CullPlan } from "../../functions/cull/retention/retention.ts";
import { archiveName } from "../../shared/catalog/archive-name.ts";
import type { Backup } from "../../shared/catalog/backup.ts";
import type { RetentionPolicy } from "../../shared/retention/retention-policy.ts";
import { aBackup, KEEP_NOTHING, type ManifestGiven } from "./backups.ts";

export const NOW = new Date("2027-06-01T00:00:00Z");
const DAY_MS = 86_400_000;
export const PIN = { at: "2026-11-22T02:00:00Z", by: "ada", reason: "the audit" };

/** What a cull of `hets` would do at `NOW`. */
export function plan(
  backups: readonly Backup[],
  policy: Partial<RetentionPolicy>,
  inUse = new Map<string, string>(),
) {
  return planCull(backups, { ...KEEP_NOTHING, ...policy }, { database: "hets", now: NOW, inUse, odd: [] });
}

/** The first is the oldest; times may be days, or instants. */
export function backupsAt(
  times: readonly string[],
  given: (index: number) => ManifestGiven = () => ({}),
): Backup[] {
  return times.map((time, index) => {
    const startedAt = new Date(time.length === 10 ? `${time}T01:00:00Z` : time);
    return aBackup({
      startedAt,
      name: archiveName("hets", startedAt, 1),
      sequence: index + 1,
      ...given(index),
    });
  });
}

/** One a day from the first of November 2026, 01:00 UTC. */
export function daily(count: number, given: (index: number) => ManifestGiven = () => ({})): Backup[] {
  const from = Date.parse("2026-11-01T01:00:00Z");
  return backupsAt(
    Array.from({ length: count }, (_, index) => new Date(from + index * DAY_MS).toISOString()),
    given,
  );
}

/** `2026-11-22 daily,newest` for each that is kept, newest first. */
export function kept({ keep }: CullPlan): string[] {
  return keep.map(({ backup, reasons }) => `${dayOf(backup)} ${reasons.map(({ rule }) => rule).join(",")}`);
}

export function removed({ remove }: CullPlan): string[] {
  return remove.map(({ backup }) => dayOf(backup));
}

function dayOf({ startedAt }: Backup): string {
  return startedAt.toISOString().slice(0, 10);
}
