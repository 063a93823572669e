import type { Backup } from "../backup/backup.ts";
import type { CatalogListing } from "../backup/catalog.ts";
import { isOwn, onVolume, originText, ownOrigin } from "../backup/origin.ts";
import { suspectsIn } from "../backup/suspects.ts";
import type { Suspicion } from "../backup/suspicion.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";

export type RestoreOverview = Omit<CatalogListing, "backups"> & {
  /** `elsewhere` says whose a backup is that is not one's own; `suspicion` what it lacks, and against which. */
  readonly backups: readonly (Backup & { readonly elsewhere?: string; readonly suspicion?: Suspicion })[];
  /** Restores that can be undone, newest first. */
  readonly undo: readonly { readonly run: string; readonly database: string; readonly until: string }[];
};

/** What can be restored, and what can be taken back. */
export async function showRestores(deps: RestoreDependencies, signal: AbortSignal): Promise<RestoreOverview> {
  const { catalog, runs, settings, now } = deps;
  const [listing, restores, system] = await Promise.all([
    catalog.list(signal),
    runs.all("restore"),
    systemSoon(deps, signal),
  ]);
  const current = { ...deps.installation, ...(system === undefined ? {} : { system }) };
  const origin = ownOrigin(current, onVolume(listing.backups, settings.database));
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
    const isOthers = backup.database === database && !isOwn(origin, backup);
    return {
      ...backup,
      ...(isOthers ? { elsewhere: originText(backup) } : {}),
      ...(suspicion === undefined ? {} : { suspicion }),
    };
  });
  return { ...listing, backups, undo };
}

/** The list must be there on the day on which the server is not; then the volume says whose is whose. */
async function systemSoon(
  { systemIdentifier }: RestoreDependencies,
  signal: AbortSignal,
): Promise<string | undefined> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(SERVER_MS)]);
  return systemIdentifier(soon).catch(() => undefined);
}

const SERVER_MS = 3_000;
