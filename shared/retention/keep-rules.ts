import { isAdopted, isPartial, type Backup } from "../catalog/backup.ts";
import { calendarIn, type Period } from "./calendar.ts";
import type { CullContext, KeepPolicy } from "./retention-policy.ts";

const KEEP_RULES = [
  // what the policy asks for
  "newest",
  "daily",
  "weekly",
  "monthly",
  "yearly",
  "within",
  // what no policy can take away
  "newest_verified",
  "newest_compared",
  "only",
  "pinned",
  "in_use",
  "future",
  "legacy",
  "refused",
] as const;
export type KeepRule = (typeof KEEP_RULES)[number];
export type KeepReason = { readonly rule: KeepRule; readonly detail: string };

type KeepContext = Pick<CullContext, "now" | "inUse"> & {
  /** Since when no newer backup is to come, and those that are there go with time. */
  readonly retiredAt?: Date | undefined;
};
type Keep = (backup: Backup, rule: KeepRule, detail: string) => void;

const LEGACY = "not written by Dormouse: it neither counts nor goes without CULL_LEGACY=true";
const DAY_MS = 86_400_000;
/** Clocks of two nodes may differ by some; a backup whose begin lies further ahead was stamped by a wrong one. */
const CLOCK_TOLERANCE_MS = 3_600_000;

/** Every reason to keep each backup, by its name. `ordered` is newest first and of one database. */
export function keepReasons(
  ordered: readonly Backup[],
  given: KeepPolicy,
  context: KeepContext,
): ReadonlyMap<string, readonly KeepReason[]> {
  const { retiredAt, now } = context;
  const policy = retiredAt === undefined ? given : retiredPolicy(given, now.getTime() - retiredAt.getTime());
  const reasons = new Map<string, KeepReason[]>();
  const keep: Keep = ({ name }, rule, detail) => {
    reasons.set(name, [...(reasons.get(name) ?? []), { rule, detail }]);
  };
  if (retiredAt === undefined || !isOver(policy)) keepWhatMustStay(ordered, keep);
  for (const backup of ordered) keepForItself(backup, context, keep);
  // A stamp from the future says nothing about its day.
  const counting = ordered.filter(
    (backup) => !isAhead(backup, context) && (policy.legacy || !isAdopted(backup)),
  );
  if (!policy.legacy) for (const backup of ordered.filter(isAdopted)) keep(backup, "legacy", LEGACY);
  const partial = Map.groupBy(counting, isPartial);
  for (const series of partial.values()) {
    keepNewest(series, policy, keep);
    keepPeriods(series, policy, keep);
  }
  return reasons;
}

/** What a database has left to come back by. */
function keepWhatMustStay(ordered: readonly Backup[], keep: Keep): void {
  const newest = ordered.find((backup) => !isPartial(backup)) ?? ordered[0];
  if (newest !== undefined) keep(newest, "newest_verified", "the newest that was read to its end");
  const reached = (level: string) =>
    ordered.find((backup) => backup.manifest.verification.level === level && !isPartial(backup));
  const proved = reached("compared") ?? reached("counted");
  if (proved !== undefined)
    keep(
      proved,
      "newest_compared",
      `the newest that a rehearsal loaded and ${proved.manifest.verification.level}`,
    );
  if (ordered.length === 1 && newest !== undefined) keep(newest, "only", "the only backup of its database");
}

function keepForItself(backup: Backup, context: KeepContext, keep: Keep): void {
  const { pin } = backup.manifest;
  if (pin !== undefined) keep(backup, "pinned", `pinned by ${pin.by}: ${pin.reason ?? "no reason given"}`);
  const run = context.inUse.get(backup.name);
  if (run !== undefined) keep(backup, "in_use", `run ${run} needs it`);
  if (isAhead(backup, context)) keep(backup, "future", "stamped in the future: it does not count yet");
}

export function isAhead({ startedAt }: Backup, { now }: Pick<KeepContext, "now">): boolean {
  return startedAt.getTime() > now.getTime() + CLOCK_TOLERANCE_MS;
}

function keepNewest(counting: readonly Backup[], policy: KeepPolicy, keep: Keep): void {
  counting
    .slice(0, policy.newest)
    .forEach((backup, index) => keep(backup, "newest", `number ${index + 1} of the newest ${policy.newest}`));

  const [newest] = counting;
  if (newest === undefined || policy.withinDays === 0) return;
  const since = newest.startedAt.getTime() - policy.withinDays * DAY_MS;
  for (const backup of counting) {
    if (backup.startedAt.getTime() >= since)
      keep(backup, "within", `within ${policy.withinDays} days of the newest`);
  }
}

function keepPeriods(counting: readonly Backup[], policy: KeepPolicy, keep: Keep): void {
  const { daily, weekly, monthly, yearly, timeZone } = policy;
  const calendar = calendarIn(timeZone);
  const dated = counting.map((backup) => ({ backup, periods: calendar(backup.startedAt) }));
  const rules: readonly (readonly [KeepRule, Period, number])[] = [
    ["daily", "day", daily],
    ["weekly", "week", weekly],
    ["monthly", "month", monthly],
    ["yearly", "year", yearly],
  ];
  for (const [rule, period, count] of rules) {
    const pickNewest = new Map<string, Backup>();
    for (const { backup, periods } of dated) {
      if (!pickNewest.has(periods[period])) pickNewest.set(periods[period], backup);
    }
    // By the calendar, not by the order of the backups: a clock that was set must not change which periods are last.
    const last = [...pickNewest.keys()].toSorted().reverse().slice(0, count);
    for (const key of last) {
      const backup = pickNewest.get(key);
      if (backup !== undefined) keep(backup, rule, `newest of ${key}`);
    }
  }
}

/** The longest of each, so that none is over too early. */
const DAYS = { newest: 1, daily: 1, withinDays: 1, weekly: 7, monthly: 31, yearly: 366 } as const;

/**
 * What the counts still keep of a database that was retired so long ago: as much as if it had been backed up each night since. At first
 * all of it, and in the end nothing.
 */
function retiredPolicy(policy: KeepPolicy, retiredForMs: number): KeepPolicy {
  const days = Math.max(0, Math.floor(retiredForMs / DAY_MS));
  const left = (rule: keyof typeof DAYS) => Math.max(0, policy[rule] - Math.floor(days / DAYS[rule]));
  return {
    ...policy,
    newest: left("newest"),
    daily: left("daily"),
    withinDays: left("withinDays"),
    weekly: left("weekly"),
    monthly: left("monthly"),
    yearly: left("yearly"),
  };
}

/** Whether the counts keep nothing any more. */
function isOver(policy: KeepPolicy): boolean {
  return Object.keys(DAYS).every((rule) => policy[rule as keyof typeof DAYS] === 0);
}
