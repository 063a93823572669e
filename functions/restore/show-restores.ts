import { suspectsIn } from "./plan/suspects.ts";
import type { Suspicion } from "../../shared/retention/suspicion.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import { showCatalog, type ShownCatalog } from "../../shared/catalog/show-catalog.ts";

export type RestoreOverview = Omit<ShownCatalog, "backups"> & {
  /** `suspicion` says what it lacks, and against which. */
  readonly backups: readonly (ShownCatalog["backups"][number] & { readonly suspicion?: Suspicion })[];
  /** Restores that can be undone, newest first. */
  readonly undo: readonly { readonly run: string; readonly database: string; readonly until: string }[];
};

/** What can be restored, and what can be taken back. */
export async function showRestores(deps: RestoreDependencies, signal: AbortSignal): Promise<RestoreOverview> {
  const { catalog, runs, settings, now } = deps;
  const [{ listing, origin }, restores] = await Promise.all([
    showCatalog(deps, catalog, settings.database, signal),
    runs.all("restore"),
  ]);
  const undo = restores
    .toReversed()
    .flatMap(({ id, database, kept }) =>
      database === settings.database && kept !== undefined && kept.until > now()
        ? [{ run: id, database: kept.database, until: kept.until.toISOString() }]
        : [],
    );
  const { database, suspectDropPercent: dropPercent } = settings;
  const suspects = suspectsIn(listing, { database, origin, dropPercent });
  const backups = listing.backups.map((backup) => {
    const suspicion = suspects.get(backup.name);
    return suspicion === undefined ? backup : { ...backup, suspicion };
  });
  return { ...listing, backups, undo };
}
