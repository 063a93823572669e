import type { RetentionConfig } from "../config/retention-config.ts";
import type { ForeignEntry } from "../catalog/catalog.ts";
import type { Oddity } from "./oddities.ts";

/** What a catalog keeps of each database; the counts are a union, so that no rule takes what another one keeps. */
export type KeepPolicy = {
  /** The newest of all: NUM_BACKUPS. */
  readonly newest: number;
  /** The newest of each of so many days, ISO weeks, months and years that have a backup. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  /** All that began within so many days before the newest. Not before now: a night without a backup costs none. */
  readonly withinDays: number;
  readonly timeZone: string;
  /** Whether what Dormouse did not write counts and goes as well: CULL_LEGACY. */
  readonly legacy: boolean;
};

/** For a place that keeps the `newest` so many: of as many days it also keeps one, so that one busy day costs no other. */
export function keepPolicy(config: RetentionConfig, newest: number): KeepPolicy {
  return {
    newest,
    daily: config.KEEP_DAILY ?? newest,
    weekly: config.KEEP_WEEKLY,
    monthly: config.KEEP_MONTHLY,
    yearly: config.KEEP_YEARLY,
    withinDays: config.KEEP_WITHIN_DAYS,
    timeZone: config.RETENTION_TZ,
    legacy: config.CULL_LEGACY,
  };
}

export type RetentionPolicy = KeepPolicy & {
  /** A drop by more makes the newest backup suspect; see `suspicion.ts`. */
  readonly suspectDropPercent: number;
  /** How old the newest backup may be before it is reported; see `staleness.ts`. */
  readonly staleHours: number;
  /** How long ago the last good rehearsal may have been. 0: it may have been ever, or never. */
  readonly rehearsalStaleDays: number;
};

export type CullContext = {
  readonly database: string;
  /** Databases that are watched even while there is no backup of them. */
  readonly expected?: readonly string[] | undefined;
  readonly now: Date;
  /** When an operator has said that the database is gone for good, since its newest backup. */
  readonly retiredAt?: ((database: string) => Date | undefined) | undefined;
  /** Whether its backups go with time. Not where writers to the volume are not trusted: one of them may have said so. */
  readonly retiredGo?: boolean | undefined;
  /** Backups that unfinished runs need, with the name of such a run. */
  readonly inUse: ReadonlyMap<string, string>;
  /** What lies there under a backup's name and counts as none; of any database. */
  readonly odd: readonly Oddity[];
  /** What else lies there, folders that may not be read among it. */
  readonly foreign?: readonly ForeignEntry[];
};
