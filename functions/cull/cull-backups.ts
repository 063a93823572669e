import type { Backup } from "../../shared/catalog/backup.ts";
import { listOwn, type OwnListing } from "./own-backups.ts";
import { toPlan, type CullOutcome, type CullReport } from "./cull-report.ts";
import { originText } from "../../shared/catalog/origin.ts";
import { odditiesIn, type DamageBook } from "../../shared/retention/oddities.ts";
import type { CullContext } from "../../shared/retention/retention-policy.ts";
import { planLegacy } from "./retention/legacy-plan.ts";
import { planCatalog, type CullPlan } from "./retention/retention.ts";
import type { RunContext } from "../../shared/run/run.ts";
import { finishRemovals, removePlanned, type CulledPlace, type CullRequest } from "./remove-planned.ts";
import { retirementOf, type RetiredDatabases } from "../../shared/backup/retired-databases.ts";
import type { EventSink } from "../../shared/events/event-sink.ts";
import type { CullEvent } from "./cull-events.ts";
import { announce } from "../../shared/events/announce.ts";

/** One place, and what culling it needs: nothing of the database. */
export type CullDependencies = CulledPlace & {
  readonly damage: DamageBook;
  readonly retired: RetiredDatabases;
  readonly retiredGo: CullContext["retiredGo"];
  readonly expected?: CullContext["expected"];
  readonly events: EventSink;
};

/** Lists one catalog, plans for each of its databases, and removes what no rule keeps. */
export async function cullBackups(
  deps: CullDependencies,
  request: CullRequest,
  context: RunContext,
): Promise<CullReport> {
  if (!request.dryRun) await finishRemovals(deps, context);
  const listing = await listOwn(deps, context.signal);
  const retirements = await deps.retired.known();
  const planning = {
    now: new Date(),
    retiredAt: (database: string) => retirementOf(database, listing.newest.get(database), retirements)?.at,
    retiredGo: deps.retiredGo,
    expected: deps.expected,
    inUse: await deps.runs.inUse(),
    odd: odditiesIn(listing.foreign, deps.place, await deps.damage.known()),
    foreign: listing.foreign,
  };
  const plans = planCatalog(listing.backups, request.policy, planning);
  await context.step("planned", { place: deps.place, ...countBackups(plans) });
  if (request.dryRun) {
    const withCullLegacy = planLegacy(listing, request.policy, planning);
    return { ...toReport(deps, request, { listing, plans, removed: [], remaining: [] }), withCullLegacy };
  }

  for (const plan of plans) {
    announceRefusal(deps, context, plan);
    announceStaleness(deps, context, plan);
    announceStaleRehearsal(deps, context, plan);
  }
  const done = await removePlanned(deps, request, context, plans);
  const report = toReport(deps, request, { listing, plans, ...done });
  const { place, removed, bytesFreed, remaining, refused, kept } = report;
  await context.step("culled", { place, removed: removed.length, bytesFreed });
  const data = { run: context.run.id, place, removed, bytesFreed, remaining, refused, kept };
  announce(deps, context, { type: "dev.dormouse.cull.completed", subject: place, data } satisfies CullEvent);
  return report;
}

function listOthers(backups: readonly Backup[]): CullReport["elsewhere"] {
  const byOrigin = Map.groupBy(backups, originText);
  return [...byOrigin].map(([origin, { length }]) => ({ origin, backups: length }));
}

function countBackups(plans: readonly CullPlan[]) {
  const count = (of: (plan: CullPlan) => number) => plans.reduce((sum, plan) => sum + of(plan), 0);
  return {
    databases: plans.length,
    keep: count(({ keep }) => keep.length),
    remove: count(({ remove }) => remove.length),
    refused: count(({ refusal }) => (refusal === undefined ? 0 : 1)),
  };
}

function announceRefusal(deps: CullDependencies, context: RunContext, plan: CullPlan): void {
  const { database, refusal, suspicion } = plan;
  if (refusal !== undefined) {
    const { rule, detail: why } = refusal;
    deps.log.warn("cull refused", { run: context.run.id, place: deps.place, database, rule, why });
  }
  if (suspicion === undefined) return;
  const data = { run: context.run.id, database, suspicion };
  announce(deps, context, {
    type: "dev.dormouse.backup.suspect",
    subject: suspicion.backup,
    data,
  } satisfies CullEvent);
}

/** Only cull looks: a backup function that is never woken cannot say so. */
function announceStaleness(
  deps: CullDependencies,
  context: RunContext,
  { database, staleness }: CullPlan,
): void {
  if (staleness === undefined) return;
  const { place } = deps;
  const { newest = database, detail: why } = staleness;
  deps.log.warn("backup stale", { run: context.run.id, place, database, why });
  const data = { run: context.run.id, place, database, staleness };
  announce(deps, context, { type: "dev.dormouse.backup.stale", subject: newest, data } satisfies CullEvent);
}

/** The restore function cannot say that nothing wakes it, either. Marks lie on the volume, and come to the bucket later. */
function announceStaleRehearsal(
  deps: CullDependencies,
  context: RunContext,
  { database, staleRehearsal }: CullPlan,
): void {
  const { place } = deps;
  if (staleRehearsal === undefined || place !== "volume") return;
  const { newest = database, detail: why } = staleRehearsal;
  deps.log.warn("rehearsal stale", { run: context.run.id, database, why });
  const data = { run: context.run.id, place, database, staleness: staleRehearsal };
  announce(deps, context, {
    type: "dev.dormouse.rehearsal.stale",
    subject: newest,
    data,
  } satisfies CullEvent);
}

type Done = Pick<CullOutcome, "removed" | "remaining"> & {
  readonly listing: OwnListing;
  readonly plans: readonly CullPlan[];
};

function toReport(
  { place }: CullDependencies,
  { dryRun }: CullRequest,
  { listing, plans, removed, remaining }: Done,
): CullReport {
  return {
    place,
    dryRun,
    removed,
    bytesFreed: removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    remaining,
    refused: plans.flatMap(({ database, refusal }) =>
      refusal === undefined ? [] : [{ database, ...refusal }],
    ),
    kept: listing.backups.length - removed.length,
    databases: plans.map(toPlan),
    legacyFiles: listing.legacy.length,
    foreignEntries: listing.foreign.length,
    elsewhere: listOthers(listing.elsewhere),
  };
}
