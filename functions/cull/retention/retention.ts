import { DormouseError } from "../../../shared/errors.ts";
import { mayBeOf } from "../../../shared/catalog/archive-name.ts";
import { newestFirst, type Backup } from "../../../shared/catalog/backup.ts";
import { isAhead, keepReasons, type KeepReason } from "../../../shared/retention/keep-rules.ts";
import { hiding, type Oddity } from "../../../shared/retention/oddities.ts";
import type { CullContext, RetentionPolicy } from "../../../shared/retention/retention-policy.ts";
import { findStaleRehearsal } from "./stale-rehearsal.ts";
import { findStaleness, type Staleness } from "./staleness.ts";
import { findSuspicion, type Suspicion } from "../../../shared/retention/suspicion.ts";

type KeptBackup = { readonly backup: Backup; readonly reasons: readonly KeepReason[] };
export type RemovedBackup = { readonly backup: Backup; readonly reason: string };

/** Why nothing at all may be removed. */
export type CullRefusal = {
  readonly rule: "newest_suspect" | "damaged" | "unreadable";
  readonly detail: string;
};

export type CullPlan = {
  readonly database: string;
  /** Newest first, each with every reason. */
  readonly keep: readonly KeptBackup[];
  /** Oldest first, as they are to be removed. */
  readonly remove: readonly RemovedBackup[];
  readonly refusal?: CullRefusal;
  readonly suspicion?: Suspicion;
  /** Changes nothing of what stays and goes. */
  readonly staleness?: Staleness;
  readonly staleRehearsal?: Staleness;
};

/**
 * What of one database stays and what goes, each with its reason. Decides and never deletes; the order in which the
 * backups come changes nothing. Throws `internal` when one of them belongs to another database.
 */
export function planCull(
  backups: readonly Backup[],
  policy: RetentionPolicy,
  context: CullContext,
): CullPlan {
  refuseOthers(backups, context.database);
  const ordered = backups.toSorted(newestFirst);
  const goesSince = findGoing(context);
  const reasons = keepReasons(ordered, policy, { ...context, retiredAt: goesSince });
  const odd = context.odd.filter((entry) => mayBeOf(entry, context.database));
  const suspicion = findSuspicion(ordered, policy.suspectDropPercent, odd);
  const refusal = describeRefusal(suspicion, odd) ?? hiddenRefusal(ordered, context);

  const reason = removalReason(policy, goesSince);
  const keep: KeptBackup[] = [];
  const remove: RemovedBackup[] = [];
  for (const backup of ordered) {
    const given = reasons.get(backup.name) ?? [];
    if (given.length > 0) keep.push({ backup, reasons: given });
    else if (refusal !== undefined)
      keep.push({ backup, reasons: [{ rule: "refused", detail: refusal.detail }] });
    else remove.push({ backup, reason });
  }
  const { database } = context;
  return {
    database,
    keep,
    remove: remove.toReversed(),
    ...(refusal === undefined ? {} : { refusal }),
    ...(suspicion === undefined ? {} : { suspicion }),
    ...findMissed(ordered, policy, context),
  };
}

/** Since when the backups of a retired database go with time. */
function findGoing({ database, retiredAt, retiredGo = true }: CullContext): Date | undefined {
  return retiredGo ? retiredAt?.(database) : undefined;
}

/** Of a retired database nothing is missed. */
function findMissed(
  ordered: readonly Backup[],
  policy: RetentionPolicy,
  { database, retiredAt, now }: CullContext,
): Pick<CullPlan, "staleness" | "staleRehearsal"> {
  if (retiredAt?.(database) !== undefined) return {};
  const staleness = findStaleness(ordered, policy.staleHours, now);
  const staleRehearsal = findStaleRehearsal(ordered, policy.rehearsalStaleDays, now);
  return {
    ...(staleness === undefined ? {} : { staleness }),
    ...(staleRehearsal === undefined ? {} : { staleRehearsal }),
  };
}

/**
 * One plan for each database, by what the manifests say and never by a pattern of names; also for one that is expected and
 * has no backup, of which there is nothing to plan but much to say.
 */
export function planCatalog(
  backups: readonly Backup[],
  policy: RetentionPolicy,
  context: Omit<CullContext, "database">,
): readonly CullPlan[] {
  const byDatabase = Map.groupBy(backups, ({ database }) => database);
  return [...new Set([...byDatabase.keys(), ...(context.expected ?? [])])]
    .toSorted()
    .map((database) => planCull(byDatabase.get(database) ?? [], policy, { ...context, database }));
}

/** Why a backup, as it stands now, may go no more: pins and runs may have come since the plan was made. */
export function reasonToStay(
  planned: Backup,
  now: Backup,
  inUse: ReadonlyMap<string, string>,
): string | undefined {
  if (now.manifest.pin !== undefined) return "it was pinned meanwhile";
  const run = inUse.get(now.name);
  if (run !== undefined) return `run ${run} has come to need it`;
  const isSame = now.sequence === planned.sequence && now.manifest.run === planned.manifest.run;
  return isSame ? undefined : "another backup has taken its name";
}

function refuseOthers(backups: readonly Backup[], database: string): void {
  const other = backups.find((backup) => backup.database !== database);
  if (other === undefined) return;
  throw new DormouseError("internal", `a plan for ${JSON.stringify(database)} was given ${other.name}`, {
    hint: "please report this: nothing was removed",
  });
}

function describeRefusal(suspicion: Suspicion | undefined, odd: readonly Oddity[]): CullRefusal | undefined {
  if (suspicion !== undefined) {
    const { backup, against, detail } = suspicion;
    return { rule: "newest_suspect", detail: `${backup} is suspect against ${against}: ${detail}` };
  }
  const damaged = odd.filter(({ isDamage }) => isDamage);
  // What it was is unknown: the good ones that are left may be all that there is.
  if (damaged.length === 0) return undefined;
  const what = damaged.map(({ path, detail }) => `${path} ${detail}`).join("; ");
  const names = [...new Set(damaged.map(({ name }) => name))].join(", ");
  return {
    rule: "damaged",
    detail: `${what}. Mend or remove it, or acknowledge ${names} once it is known`,
  };
}

/** What may not be read and is older than the newest can hide no newer one: it stops nothing. */
function hiddenRefusal(
  ordered: readonly Backup[],
  { database, foreign = [], now }: CullContext,
): CullRefusal | undefined {
  const newest = ordered.find((backup) => !isAhead(backup, { now }));
  const hidden = hiding(foreign, database, newest?.startedAt);
  if (hidden.length === 0) return undefined;
  const what = hidden.map(({ path, detail }) => `${path} ${detail}`).join("; ");
  return { rule: "unreadable", detail: `a newer backup may be hidden: ${what}` };
}

function removalReason(policy: RetentionPolicy, retiredAt: Date | undefined): string {
  const { newest, daily, weekly, monthly, yearly, withinDays } = policy;
  const periods = Object.entries({ daily, weekly, monthly, yearly })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`);
  const within = withinDays > 0 ? [`those within ${withinDays} days of the newest`] : [];
  const since =
    retiredAt === undefined ? "" : `, as if there had been one each night since ${retiredAt.toISOString()}`;
  return `not among ${[`the newest ${newest}`, ...periods, ...within].join(", ")}${since}`;
}
