import type { Catalog } from "../backup/catalog.ts";
import type { CullReport } from "../backup/cull-report.ts";
import type { RunContext } from "../backup/run.ts";
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

/** What an earlier attempt of this run left, and no other's, is swept before. */
export async function cullVolume(
  deps: CullVolumeDependencies,
  request: CullVolumeRequest,
  context: RunContext,
): Promise<CullReport> {
  if (context.isTakenUp) await deps.catalog.sweep(context.run.id);
  const volume = { ...deps, place: "volume", catalog: culledVolume(deps.catalog, deps.namespace) } as const;
  return cullBackups(volume, request, context);
}
