import type { Catalog } from "../backup/catalog.ts";
import type { CullReport } from "../backup/cull-report.ts";
import type { RunContext } from "../backup/run.ts";
import { adoptLegacyFiles, type AdoptReport } from "./adopt-legacy-files.ts";
import { cullBackups, culledVolume, type CullDependencies, type CullRequest } from "./cull-backups.ts";

export type CullVolumeDependencies = Omit<CullDependencies, "place" | "catalog"> & {
  readonly catalog: Catalog;
  /** Of this function; its own backups bear it. */
  readonly namespace: string | undefined;
  /** Of Dormouse. */
  readonly version: string;
};

export type CullVolumeRequest = CullRequest & {
  /** How many files of the old pod a run may adopt. */
  readonly adoptLimit: number;
};

export type CullVolumeReport = CullReport & { readonly adoption?: AdoptReport };

/**
 * Culls the volume, then adopts some of what the old pod left there. In this order: reading large files must not keep
 * a full volume from being culled, and what is adopted counts from the next run on.
 */
export async function cullVolume(
  deps: CullVolumeDependencies,
  request: CullVolumeRequest,
  context: RunContext,
): Promise<CullVolumeReport> {
  // An earlier attempt of this run, and nobody else's.
  if (context.isTakenUp) await deps.catalog.sweep(context.run.id);
  const volume = { ...deps, place: "volume", catalog: culledVolume(deps.catalog, deps.namespace) } as const;
  const report = await cullBackups(volume, request, context);
  if (request.dryRun || report.legacyFiles === 0) return report;
  return { ...report, adoption: await adoptLegacyFiles(deps, request.adoptLimit, context) };
}
