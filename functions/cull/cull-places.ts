import type { BucketCatalog, VolumeCatalog } from "../../shared/catalog/catalog.ts";
import type { Place } from "../../shared/catalog/merged-catalog.ts";
import type { CullReport, Removal } from "./cull-report.ts";
import type { KeepPolicy } from "../../shared/retention/retention-policy.ts";
import type { RunContext, RunStore } from "../../shared/run/run.ts";
import { sweepLeftovers } from "../../shared/run/sweep-leftovers.ts";
import { logged, problemFrom, type Problem } from "../../shared/errors.ts";
import { cullBackups, type CullDependencies } from "./cull-backups.ts";
import { adoptLegacyFiles, type AdoptReport } from "./adopt-legacy-files.ts";
import { CullStopped, type CullRequest } from "./remove-planned.ts";
import type { CullEvent } from "./cull-events.ts";
import { announce } from "../../shared/events/announce.ts";

export type CullPlacesDependencies = Omit<CullDependencies, "place" | "catalog" | "volume"> & {
  readonly runs: Pick<RunStore, "find" | "all">;
  /** Of the volume. */
  readonly catalog: VolumeCatalog;
  /** Unset: there is no bucket. What it keeps goes by its own count. */
  readonly bucket?: { readonly catalog: BucketCatalog; readonly keep: KeepPolicy } | undefined;
};

type CullPlacesRequest = CullRequest & {
  /** How many files of the old pod a run may adopt. */
  readonly adoptLimit: number;
};

/** Of a place that could not be culled, or not to the end: what went nevertheless. */
type PlaceProblem = {
  readonly problem: Problem;
  readonly removed: readonly Removal[];
  readonly bytesFreed: number;
};
type BucketReport = CullReport | ({ readonly place: "bucket" } & PlaceProblem);

export type CullPlacesReport = CullReport & {
  readonly bucket?: BucketReport | undefined;
  readonly adoption?: AdoptReport | undefined;
};

/**
 * Culls the volume, then the bucket: each by what lies there, so that neither can cost the other its last good backup; then
 * adopts some of what the old pod left. Three jobs: one that fails stops neither of the others, and each reports what it did.
 * Adoption is last: reading large files must not keep a full volume from being culled.
 */
export async function cullPlaces(
  deps: CullPlacesDependencies,
  request: CullPlacesRequest,
  context: RunContext,
): Promise<CullPlacesReport> {
  const volume = await tried(deps, context, "volume", async () => {
    // What an earlier attempt of this run left, and what runs that have ended left, makes room first.
    if (!request.dryRun) await sweepLeftovers(deps, context.run, []);
    return cullBackups({ ...deps, place: "volume", volume: deps.catalog }, request, context);
  });
  const bucket = await cullBucket(deps, request, context);
  const mayAdopt = !request.dryRun && ("error" in volume || volume.report.legacyFiles > 0);
  const adoption = mayAdopt ? await adoptLegacyFiles(deps, request.adoptLimit, context) : undefined;
  // The caller is answered with the fault; what was done all the same stands in the record and in the events.
  if ("error" in volume) throw volume.error;
  return {
    ...volume.report,
    ...(bucket === undefined ? {} : { bucket }),
    ...(adoption === undefined ? {} : { adoption }),
  };
}

async function cullBucket(
  deps: CullPlacesDependencies,
  request: CullPlacesRequest,
  context: RunContext,
): Promise<BucketReport | undefined> {
  if (deps.bucket === undefined) return undefined;
  const { catalog, keep } = deps.bucket;
  const bucket = { ...deps, place: "bucket", catalog, volume: deps.catalog } as const;
  const policy = { ...request.policy, ...keep };
  const done = await tried(deps, context, "bucket", () =>
    cullBackups(bucket, { ...request, policy }, context),
  );
  return "error" in done ? { place: "bucket", ...done.failure } : done.report;
}

type Tried = { readonly report: CullReport } | { readonly error: unknown; readonly failure: PlaceProblem };

async function tried(
  deps: CullPlacesDependencies,
  context: RunContext,
  place: Place,
  work: () => Promise<CullReport>,
): Promise<Tried> {
  try {
    return { report: await work() };
  } catch (error) {
    context.signal.throwIfAborted();
    const problem = problemFrom(error);
    const removed = error instanceof CullStopped ? error.removed : [];
    const bytesFreed = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const failure = { problem, removed, bytesFreed };
    deps.log.error("cull failed", { run: context.run.id, place, ...logged(problem) });
    await context.step("cull_failed", { place, ...failure });
    const data = { run: context.run.id, place, ...failure };
    announce(deps, context, { type: "dev.dormouse.cull.failed", subject: place, data } satisfies CullEvent);
    return { error, failure };
  }
}
