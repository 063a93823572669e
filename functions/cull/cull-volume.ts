import type { Catalog } from "../../shared/catalog/catalog.ts";
import type { CullReport } from "./cull-report.ts";
import type { RunContext, RunStore } from "../../shared/run/run.ts";
import { cullBackups, culledVolume, type CullDependencies } from "./cull-backups.ts";
import { sweepLeftovers } from "../../shared/run/sweep-leftovers.ts";
import type { CullRequest } from "./remove-planned.ts";

export type CullVolumeDependencies = Omit<CullDependencies, "place" | "catalog"> & {
  readonly runs: Pick<RunStore, "find">;
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

/** What an earlier attempt of this run left, and what runs that have ended left, is swept before. */
export async function cullVolume(
  deps: CullVolumeDependencies,
  request: CullVolumeRequest,
  context: RunContext,
): Promise<CullReport> {
  await sweepLeftovers(deps, context.run, []);
  const volume = { ...deps, place: "volume", catalog: culledVolume(deps.catalog, deps.namespace) } as const;
  return cullBackups(volume, request, context);
}
