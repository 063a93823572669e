import { backupOf, type Backup } from "../../shared/catalog/backup.ts";
import type { Place, PlacedBackup } from "../../shared/catalog/merged-catalog.ts";
import type { CullReport, Removal } from "./cull-report.ts";
import type { Mirror } from "../../shared/catalog/mirror.ts";
import type { KeepPolicy } from "../../shared/retention/retention-policy.ts";
import { ownOrigins } from "../../shared/catalog/origin.ts";
import type { RunContext } from "../../shared/run/run.ts";
import { asDormouseError, type Problem } from "../../shared/errors.ts";
import { cullBackups, withoutOthers } from "./cull-backups.ts";
import { adoptLegacyFiles, type AdoptReport } from "./adopt-legacy-files.ts";
import { cullVolume, type CullVolumeDependencies, type CullVolumeRequest } from "./cull-volume.ts";
import { CullStopped, type CulledCatalog } from "./remove-planned.ts";
import type { CullEvent } from "./cull-events.ts";
import { announce } from "../../shared/events/announce.ts";

export type CullPlacesDependencies = CullVolumeDependencies & {
  /** Unset: there is no bucket. What it keeps goes by its own count. */
  readonly bucket?: { readonly mirror: Mirror; readonly keep: KeepPolicy } | undefined;
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
 * adopts some of what the old pod left. Three jobs: one that fails stops neither of the others, and each tells what it did.
 * Adoption is last: reading large files must not keep a full volume from being culled.
 */
export async function cullPlaces(
  deps: CullPlacesDependencies,
  request: CullVolumeRequest,
  context: RunContext,
): Promise<CullPlacesReport> {
  const volume = await tried(deps, context, "volume", () => cullVolume(deps, request, context));
  const bucket = await cullBucket(deps, request, context);
  const mayAdopt = !request.dryRun && ("error" in volume || volume.report.legacyFiles > 0);
  const adoption = mayAdopt ? await adoptLegacyFiles(deps, request.adoptLimit, context) : undefined;
  // Who asked is answered with the fault; what was done all the same stands in the record and in the events.
  if ("error" in volume) throw volume.error;
  return {
    ...volume.report,
    ...(bucket === undefined ? {} : { bucket }),
    ...(adoption === undefined ? {} : { adoption }),
  };
}

async function cullBucket(
  deps: CullPlacesDependencies,
  request: CullVolumeRequest,
  context: RunContext,
): Promise<BucketReport | undefined> {
  if (deps.bucket === undefined) return undefined;
  const { mirror, keep } = deps.bucket;
  const bucket = { ...deps, place: "bucket", catalog: culledBucket(deps, mirror) } as const;
  const policy = { ...request.policy, ...keep };
  const done = await tried(deps, context, "bucket", () =>
    cullBackups(bucket, { ...request, policy }, context),
  );
  return "error" in done ? { place: "bucket", ...done.told } : done.report;
}

type Tried = { readonly report: CullReport } | { readonly error: unknown; readonly told: PlaceProblem };

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
    const { code, message, hint } = asDormouseError(error);
    const removed = error instanceof CullStopped ? error.removed : [];
    const bytesFreed = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const told = { problem: { code, message, hint }, removed, bytesFreed };
    deps.log.error("cull failed", { run: context.run.id, place, code, error: message, hint });
    await context.step("unculled", { place, ...told });
    const data = { run: context.run.id, place, ...told };
    announce(deps, context, { type: "dev.dormouse.cull.failed", subject: place, data } satisfies CullEvent);
    return { error, told };
  }
}

/**
 * What the volume knows counts in the bucket: whose backups are one's own, and the pins, which reach the bucket with the
 * next backup run.
 */
function culledBucket({ catalog: volume, namespace }: CullPlacesDependencies, mirror: Mirror): CulledCatalog {
  return {
    ...mirror,
    async list(signal) {
      const [listing, local] = await Promise.all([mirror.list(signal), volume.list(signal)]);
      const byName = new Map(local.backups.map((backup) => [backup.name, backup]));
      const backups = listing.backups.map((each) => asOnVolume(byName.get(each.name), each));
      return withoutOthers({ ...listing, backups }, ownOrigins(namespace, local.backups));
    },
    async find(name, signal) {
      const found = await mirror.find(name, signal);
      return found && asOnVolume(await volume.find(name), found);
    },
  };
}

function asOnVolume(local: Backup | undefined, backup: Backup): PlacedBackup {
  const { pin, archive } = local?.manifest ?? {};
  const isSame = archive?.sha256 === backup.manifest.archive.sha256;
  const manifest = isSame && pin !== undefined ? { ...backup.manifest, pin } : backup.manifest;
  return { ...backupOf(manifest), places: isSame ? ["volume", "bucket"] : ["bucket"] };
}
