import type { Backup } from "../../wire.ts";

export type Filter = {
  readonly database: string;
  readonly place: string;
  readonly proof: string;
  readonly pinned: boolean;
  readonly text: string;
};

export const EVERYTHING: Filter = { database: "", place: "", proof: "", pinned: false, text: "" };

export type SortKey = "taken" | "size" | "rows" | "duration";
export type Sort = { readonly by: SortKey; readonly isDescending: boolean };

const VALUES: Readonly<Record<SortKey, (backup: Backup) => number>> = {
  taken: ({ startedAt }) => Date.parse(startedAt),
  size: ({ sizeBytes }) => sizeBytes,
  rows: ({ manifest }) => manifest.content.rows,
  duration: ({ manifest }) => manifest.elapsedMs,
};

/** A catalog of a volume alone names no places. */
export function placesOf({ places = ["volume"] }: Backup): readonly string[] {
  return places;
}

/** Those that are wanted, in the order that is wanted. */
export function choose(backups: readonly Backup[], filter: Filter, { by, isDescending }: Sort): Backup[] {
  const value = VALUES[by];
  const sign = isDescending ? -1 : 1;
  return backups
    .filter((backup) => isWanted(backup, filter))
    .toSorted((a, b) => sign * (value(a) - value(b)));
}

function isWanted(backup: Backup, { database, place, proof, pinned, text }: Filter): boolean {
  const { name, manifest } = backup;
  const said = `${name} ${manifest.label ?? ""}`.toLowerCase();
  return (
    (database === "" || backup.database === database) &&
    (place === "" || placesOf(backup).includes(place)) &&
    (proof === "" || manifest.verification.level === proof) &&
    (!pinned || manifest.pin !== undefined) &&
    said.includes(text.trim().toLowerCase())
  );
}

/** The one of the same database and origin that was taken before it, of a list with the newest first. */
export function backupBefore(backups: readonly Backup[], backup: Backup): Backup | undefined {
  const own = backups.filter(
    ({ database, elsewhere }) => database === backup.database && elsewhere === backup.elsewhere,
  );
  return own[own.indexOf(backup) + 1];
}
