import type { Backup } from "./backup.ts";
import type { Catalog, CatalogListing } from "./catalog.ts";
import { isOwn, onVolume, originText, ownOrigin, type Origin } from "./origin.ts";

export type ShownCatalog = Omit<CatalogListing, "backups"> & {
  /** `elsewhere` says whose a backup is that is not one's own. */
  readonly backups: readonly (Backup & { readonly elsewhere?: string })[];
};

type Where = {
  readonly systemIdentifier: (signal: AbortSignal) => Promise<string | undefined>;
  readonly installation: Omit<Origin, "system" | "formerly">;
};

/** A listing for a person: of the databases' backups it says which are not one's own. */
export async function showCatalog(
  where: Where,
  catalog: Pick<Catalog, "list">,
  covers: (database: string) => boolean,
  signal: AbortSignal,
): Promise<{ readonly listing: ShownCatalog; readonly origins: ReadonlyMap<string, Origin> }> {
  const [listing, system] = await Promise.all([catalog.list(signal), systemSoon(where, signal)]);
  const current = { ...where.installation, ...(system === undefined ? {} : { system }) };
  const databases = new Set(listing.backups.map(({ database }) => database).filter(covers));
  const origins = new Map(
    [...databases].map((database) => [database, ownOrigin(current, onVolume(listing.backups, database))]),
  );
  const backups = listing.backups.map((backup) =>
    !databases.has(backup.database) || isOwn(origins.get(backup.database), backup)
      ? backup
      : { ...backup, elsewhere: originText(backup) },
  );
  return { listing: { ...listing, backups }, origins };
}

/** Then the volume says whose is whose. */
async function systemSoon({ systemIdentifier }: Where, signal: AbortSignal): Promise<string | undefined> {
  return systemIdentifier(serverSoon(signal)).catch(() => undefined);
}

/** The list must be there on the day on which the server is not. */
export function serverSoon(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(SERVER_MS)]);
}

const SERVER_MS = 3_000;
