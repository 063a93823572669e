import { suspectsIn } from "./plan/suspects.ts";
import type { Suspicion } from "../../shared/retention/suspicion.ts";
import { type Problem, problemFrom } from "../../shared/errors.ts";
import type { RestoreDependencies } from "./restoring.ts";
import { serverSoon, showCatalog, type ShownCatalog } from "../../shared/catalog/show-catalog.ts";

export type RestoreOverview = Omit<ShownCatalog, "backups"> & {
  /** `suspicion` says what it lacks, and against which. */
  readonly backups: readonly (ShownCatalog["backups"][number] & { readonly suspicion?: Suspicion })[];
  /** Restores that can be undone, newest first: the server keeps each at least `until` then, by its own clock. */
  readonly undo: readonly { readonly run: string; readonly database: string; readonly until: string }[];
  /** Why the server does not tell. */
  readonly undoProblem?: Problem;
};

/** What can be restored, and what can be taken back. */
export async function showRestores(deps: RestoreDependencies, signal: AbortSignal): Promise<RestoreOverview> {
  const { merged, settings } = deps;
  const [{ listing, origins }, undoable] = await Promise.all([
    showCatalog(deps, merged, (database) => database === settings.database, signal),
    undoableSoon(deps, signal),
  ]);
  const { database, suspectDropPercent: dropPercent } = settings;
  const suspects = suspectsIn(listing, { database, origin: origins.get(database) ?? {}, dropPercent });
  const backups = listing.backups.map((backup) => {
    const suspicion = suspects.get(backup.name);
    return suspicion === undefined ? backup : { ...backup, suspicion };
  });
  return { ...listing, backups, ...undoable };
}

async function undoableSoon(
  { expired, settings }: RestoreDependencies,
  signal: AbortSignal,
): Promise<Pick<RestoreOverview, "undo" | "undoProblem">> {
  try {
    const { kept } = await expired.find(settings.database, serverSoon(signal));
    return { undo: kept.map((each) => ({ ...each, until: each.until.toISOString() })) };
  } catch (error) {
    signal.throwIfAborted();
    return { undo: [], undoProblem: problemFrom(error) };
  }
}
