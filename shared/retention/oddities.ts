import { mayBeOf, parseArchiveName, type ArchiveNameParts } from "../catalog/archive-name.ts";
import type { Place } from "../catalog/merged-catalog.ts";
import type { ForeignEntry } from "../catalog/catalog.ts";

/** What bears the name of a backup and counts as none. */
export type Oddity = ForeignEntry &
  Pick<ArchiveNameParts, "name" | "database" | "withServer" | "minuteAt"> & {
    /** A backup of ours that is not what it was, and of which no operator has said that it is known. */
    readonly isDamage: boolean;
  };

/** An operator has looked at a damaged backup. It counts as nothing, and stops no cull while it stays as it was. */
export type KnownDamage = Pick<ForeignEntry, "path" | "reason" | "detail"> & {
  readonly place: Place;
  readonly at: string;
  readonly by: string;
  readonly why?: string | undefined;
};

/** Where known damage is written down: on the volume, also for the bucket. */
export type DamageBook = {
  known(): Promise<readonly KnownDamage[]>;
  acknowledge(damage: KnownDamage): Promise<void>;
};

/** What has a manifest was a backup once. A file without one may be anyone's, and so may a manifest that bears no signature. */
const DAMAGE = new Set<ForeignEntry["reason"]>([
  "manifest_unreadable",
  "manifest_without_archive",
  "archive_size_differs",
  "signature_invalid",
]);

/** Folders of the days alone: in others lies nothing that Dormouse wrote. */
const isDay = (path: string) => /^\d/.test(path);

/** What may not be read, and could hold a backup of `database` that began at `newest` or later, by the day or minute of its name. */
export function hiding(
  foreign: readonly ForeignEntry[],
  database: string,
  newest: Date | undefined,
): readonly ForeignEntry[] {
  const day = newest?.toISOString().slice(0, 10) ?? "";
  return foreign.filter(({ path, reason }) => {
    if (reason !== "unreadable") return false;
    if (!path.includes("/")) return isDay(path) && path >= day;
    const parts = path.endsWith(".json") ? parseArchiveName(path.replace(/\.json$/, "")) : undefined;
    return parts !== undefined && mayBeOf(parts, database) && parts.date >= day;
  });
}

export function odditiesIn(
  foreign: readonly ForeignEntry[],
  place: Place,
  known: readonly KnownDamage[],
): readonly Oddity[] {
  return foreign.flatMap((entry) => {
    const parts = parseArchiveName(entry.path.replace(/\.json$/, ""));
    if (parts === undefined) return [];
    const { name, database, withServer, minuteAt } = parts;
    const isKnown = known.some((each) => each.place === place && isSame(each, entry));
    const isDamage = DAMAGE.has(entry.reason) && !isKnown;
    return [{ ...entry, name, database, withServer, minuteAt, isDamage }];
  });
}

/** What has changed since it was acknowledged is damage again. */
function isSame(known: KnownDamage, { path, reason, detail }: ForeignEntry): boolean {
  return known.path === path && known.reason === reason && known.detail === detail;
}
