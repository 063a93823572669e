import { backupOf, type Backup } from "../backup/backup.ts";
import type { PlacedBackup } from "../backup/both-places.ts";
import type { CullReport } from "../backup/cull-report.ts";
import type { Mirror } from "../backup/mirror.ts";
import type { KeepPolicy } from "../backup/retention-policy.ts";
import { ownOrigins } from "../backup/origin.ts";
import type { RunContext, RunProblem } from "../backup/run.ts";
import { asDormouseError } from "../errors.ts";
import { announce } from "./announce.ts";
import { cullBackups, withoutOthers, type CulledCatalog } from "./cull-backups.ts";
import {
  cullVolume,
  type CullVolumeDependencies,
  type CullVolumeReport,
  type CullVolumeRequest,
} from "./cull-volume.ts";

export type CullPlacesDependencies = CullVolumeDependencies & {
  /** Unset: there is no bucket. What it keeps goes by its own count. */
  readonly bucket?: { readonly mirror: Mirror; readonly keep: KeepPolicy } | undefined;
};

type BucketReport = CullReport | { readonly place: "bucket"; readonly problem: RunProblem };

export type CullPlacesReport = CullVolumeReport & { readonly bucket?: BucketReport };

/**
 * Culls the volume, then the bucket: each by what lies there, so that neither can cost the other its last good backup.
 * A bucket that fails takes nothing back of what was done on the volume, and is told of.
 */
export async function cullPlaces(
  deps: CullPlacesDependencies,
  request: CullVolumeRequest,
  context: RunContext,
): Promise<CullPlacesReport> {
  const report = await cullVolume(deps, request, context);
  if (deps.bucket === undefined) return report;
  const { mirror, keep } = deps.bucket;
  try {
    const bucket = { ...deps, place: "bucket", catalog: culledBucket(deps, mirror) } as const;
    const policy = { ...request.policy, ...keep };
    return { ...report, bucket: await cullBackups(bucket, { ...request, policy }, context) };
  } catch (error) {
    context.signal.throwIfAborted();
    return { ...report, bucket: await tellProblem(deps, context, error) };
  }
}

async function tellProblem(
  deps: CullPlacesDependencies,
  context: RunContext,
  error: unknown,
): Promise<BucketReport> {
  const { code, message, hint } = asDormouseError(error);
  const [place, problem] = ["bucket" as const, { code, message, hint }];
  deps.log.error("cull failed", { run: context.run.id, place, code, error: message, hint });
  await context.step("unculled", { place, problem });
  const data = { run: context.run.id, place, problem };
  announce(deps, context, { type: "dev.dormouse.cull.failed", subject: place, data });
  return { place, problem };
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
