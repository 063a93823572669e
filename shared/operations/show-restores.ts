import type { CatalogListing } from "../backup/catalog.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";

export type RestoreOverview = CatalogListing & {
  /** Restores that can be undone, newest first. */
  readonly undo: readonly { readonly run: string; readonly database: string; readonly until: string }[];
};

/** What can be restored, and what can be taken back. */
export async function showRestores(
  { catalog, runs, settings, now }: RestoreDependencies,
  signal: AbortSignal,
): Promise<RestoreOverview> {
  const [listing, restores] = await Promise.all([catalog.list(signal), runs.all("restore")]);
  const undo = restores
    .toReversed()
    .flatMap(({ id, database, kept }) =>
      database === settings.database && kept !== undefined && kept.until > now()
        ? [{ run: id, database: kept.database, until: kept.until.toISOString() }]
        : [],
    );
  return { ...listing, undo };
}
