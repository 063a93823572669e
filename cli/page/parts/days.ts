import type { Backup } from "../../wire.ts";

const DAY_MS = 86_400_000;

/** One day in UTC, as the folders of the backups are, with its newest backup. */
export type Day = {
  readonly day: string;
  readonly backup: Backup | undefined;
  readonly isSuspect: boolean;
  /** No backup on a day between the first one and today: today may still bring one. */
  readonly isMissed: boolean;
};

/** The latest `count` days of one database, oldest first. */
export function latestDays(backups: readonly Backup[], count: number, now: number): Day[] {
  const ofDay = Map.groupBy(backups, ({ startedAt }) => startedAt.slice(0, 10));
  const first = [...ofDay.keys()].toSorted()[0] ?? "9";
  return Array.from({ length: count }, (_, index) => {
    const day = new Date(now - (count - 1 - index) * DAY_MS).toISOString().slice(0, 10);
    const taken = ofDay.get(day) ?? [];
    return {
      day,
      // The newest of a list that has the newest first.
      backup: taken[0],
      isSuspect: taken.some(({ suspicion }) => suspicion !== undefined),
      isMissed: taken.length === 0 && day > first && index < count - 1,
    };
  });
}
