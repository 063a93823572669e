import type { ArchiveName } from "../../shared/catalog/archive-name.ts";
import { toBackup, type Backup } from "../../shared/catalog/backup.ts";
import type { Catalog, CatalogListing } from "../../shared/catalog/catalog.ts";
import type { Place, PlacedBackup } from "../../shared/catalog/merged-catalog.ts";
import { isOwn, ownOrigins } from "../../shared/catalog/origin.ts";

/** A place with backups of this installation, and perhaps of others. */
export type OwnPlace = {
  readonly place: Place;
  readonly catalog: Catalog;
  /**
   * What it knows counts in the bucket: whose backups are one's own, and the pins, which reach the bucket with the next
   * backup run.
   */
  readonly volume: Catalog;
  /** Of this function; its own backups bear it. */
  readonly namespace: string | undefined;
};

/** Another's backups in the same place neither count nor go, whatever they are called. */
export type OwnListing = CatalogListing & {
  readonly elsewhere: readonly Backup[];
  /** When the newest of each database began, here or on the volume: the bucket may lack it still. */
  readonly newest: ReadonlyMap<string, Date>;
};

export async function listOwn(own: OwnPlace, signal: AbortSignal): Promise<OwnListing> {
  const { place, catalog, volume, namespace } = own;
  const [listing, local] =
    place === "volume"
      ? await catalog.list(signal).then((only) => [only, only] as const)
      : await Promise.all([catalog.list(signal), volume.list(signal)]);
  const origins = ownOrigins(namespace, local.backups);
  const isOurs = (backup: Backup) => isOwn(origins.get(backup.database), backup);
  const onVolume = new Map(local.backups.map((backup) => [backup.name, backup]));
  const backups = listing.backups.map((backup) => placed(own, backup, onVolume.get(backup.name)));
  return {
    ...listing,
    backups: backups.filter(isOurs),
    newest: newestIn([...backups, ...local.backups].filter(isOurs)),
    elsewhere: backups.filter((backup) => !isOurs(backup)),
  };
}

function newestIn(backups: readonly Backup[]): ReadonlyMap<string, Date> {
  const newest = new Map<string, Date>();
  for (const { database, startedAt } of backups)
    if (startedAt > (newest.get(database) ?? new Date(0))) newest.set(database, startedAt);
  return newest;
}

export async function findOwn(
  own: OwnPlace,
  name: ArchiveName,
  signal: AbortSignal,
): Promise<Backup | undefined> {
  const found = await own.catalog.find(name, signal);
  if (found === undefined || own.place === "volume") return found;
  return placed(own, found, await own.volume.find(name, signal));
}

function placed({ place }: OwnPlace, backup: Backup, onVolume: Backup | undefined): Backup | PlacedBackup {
  if (place === "volume") return backup;
  const { pin, archive } = onVolume?.manifest ?? {};
  const isSame = archive?.sha256 === backup.manifest.archive.sha256;
  const manifest = isSame && pin !== undefined ? { ...backup.manifest, pin } : backup.manifest;
  return { ...toBackup(manifest), places: isSame ? ["volume", "bucket"] : ["bucket"] };
}
