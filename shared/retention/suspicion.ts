import type { ArchiveName } from "../catalog/archive-name.ts";
import { isAdopted, newestFirst, type Backup } from "../catalog/backup.ts";
import type { Oddity } from "./oddities.ts";

type Drop = {
  readonly kind: "table_gone" | "rows" | "size";
  /** `schema.table`; absent for the size of the archive. */
  readonly table?: string;
  readonly before: number;
  readonly now: number;
};

/** A backup that holds so much less than the last good one that an operator should look before anything is culled. */
export type Suspicion = {
  readonly backup: ArchiveName;
  /** The last backup before it that is not suspect. */
  readonly against: ArchiveName;
  readonly drops: readonly Drop[];
  readonly detail: string;
};

/** A table that lost fewer rows, or an archive that lost fewer bytes, is small enough to shrink without a reason. */
const MIN_LOST_ROWS = 100;
const MIN_LOST_BYTES = 64 << 10;
const MAX_TOLD = 5;
const MINUTE_MS = 60_000;

/**
 * Whether the newest verified backup of one database is suspect: a table gone, or rows of a table or the archive's
 * size down by more than `dropPercent` against the last backup that was not suspect itself. So a drop stays suspect
 * when the next backups are as small, until an operator acknowledges one of them. With 100 nothing ever is.
 */
export function findSuspicion(
  backups: readonly Backup[],
  dropPercent: number,
  odd: readonly Pick<Oddity, "minuteAt">[] = [],
): Suspicion | undefined {
  return judged(backups, dropPercent, odd).at(-1)?.suspicion;
}

/** All of one database that are suspect by the same rule, each against the last one before it that was not. */
export function suspicionsIn(
  backups: readonly Backup[],
  dropPercent: number,
  odd: readonly Pick<Oddity, "minuteAt">[] = [],
): ReadonlyMap<ArchiveName, Suspicion> {
  const suspect = judged(backups, dropPercent, odd).flatMap(({ suspicion }) => suspicion ?? []);
  return new Map(suspect.map((suspicion) => [suspicion.backup, suspicion]));
}

/** Each verified backup that Dormouse took, oldest first. */
function judged(
  backups: readonly Backup[],
  dropPercent: number,
  odd: readonly Pick<Oddity, "minuteAt">[],
): readonly { readonly suspicion: Suspicion | undefined }[] {
  const verdicts: { readonly suspicion: Suspicion | undefined }[] = [];
  let reference: Reference | undefined;
  let previous: Backup | undefined;
  for (const backup of backups.toSorted(newestFirst).toReversed()) {
    // What the old pod wrote is compared with what came after it, but is itself beyond suspicion: it is history.
    if (isAdopted(backup)) {
      if (previous === undefined) reference = toReference(backup);
      continue;
    }
    if (hasGap(previous ?? reference?.backup, backup, odd)) reference = undefined;
    previous = backup;
    const suspicion = compare(reference, backup, dropPercent);
    verdicts.push({ suspicion });
    if (suspicion === undefined) reference = toReference(backup, reference);
  }
  return verdicts;
}

/** A good backup, with the rows of what it leaves out as the last one had them that did not. */
type Reference = { readonly backup: Backup; readonly tables: readonly Table[] };
type Table = Backup["manifest"]["content"]["tables"][number];

function toReference(backup: Backup, before?: Reference): Reference {
  const excluded = excludedBy(backup);
  const carried = before?.tables.filter((table) => excluded.has(tableName(table))) ?? [];
  return { backup, tables: [...backup.manifest.content.tables, ...carried] };
}

function excludedBy({ manifest }: Backup): ReadonlySet<string> {
  return new Set(manifest.excluded?.tables.map(tableName));
}

/**
 * Where backups between the two are gone, a cull was allowed to take them: the later one was not suspect then, and a
 * table that shrank slowly over them must not look like one that collapsed. What lies between and counts as nothing, as it
 * is damaged, was not culled: then the last good one before is what the later one is compared with.
 */
function hasGap(
  before: Backup | undefined,
  after: Backup,
  odd: readonly Pick<Oddity, "minuteAt">[],
): boolean {
  if (before === undefined || after.sequence <= before.sequence + 1) return false;
  return !odd.some(({ minuteAt }) => minuteAt >= toMinute(before.startedAt) && minuteAt <= after.startedAt);
}

/** A name has the minute, and several backups may share it. */
function toMinute(at: Date): Date {
  return new Date(Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS);
}

function compare(before: Reference | undefined, backup: Backup, dropPercent: number): Suspicion | undefined {
  if (before === undefined || backup.manifest.acknowledged !== undefined) return undefined;
  const drops = [
    ...tableDrops(before, backup, dropPercent),
    ...sizeDrops(before.backup, backup, dropPercent),
  ];
  if (drops.length === 0) return undefined;
  const more = drops.length > MAX_TOLD ? `; and ${drops.length - MAX_TOLD} more` : "";
  const detail = `${drops.slice(0, MAX_TOLD).map(toText).join("; ")}${more}`;
  return { backup: backup.name, against: before.backup.name, drops, detail };
}

function tableDrops(before: Reference, backup: Backup, dropPercent: number): Drop[] {
  const excluded = excludedBy(backup);
  const { tables } = backup.manifest.content;
  // Most tables of most nights stand where they stood, and a listing keeps what is equal once. Dumps of before 2018 name a
  // table without its schema: it cannot be found again.
  const changed = before.tables.filter((table, index) => tables[index] !== table && table.schema !== "");
  if (changed.length === 0) return [];
  const now = new Map(tables.map((table) => [tableName(table), table.rows]));
  return changed.flatMap((table): Drop[] => {
    const name = tableName(table);
    if (excluded.has(name)) return [];
    const rows = now.get(name);
    if (rows === undefined)
      return table.rows > 0 && dropPercent < 100
        ? [{ kind: "table_gone", table: name, before: table.rows, now: 0 }]
        : [];
    const isSharp = table.rows - rows >= MIN_LOST_ROWS && fell(table.rows, rows, dropPercent);
    return isSharp ? [{ kind: "rows", table: name, before: table.rows, now: rows }] : [];
  });
}

/** Only like is compared with like: another format or compression has another size for the same rows, and fewer tables less. */
function sizeDrops(before: Backup, backup: Backup, dropPercent: number): Drop[] {
  const kind = (each: Backup) => {
    const { format, compression } = each.manifest.archive;
    return JSON.stringify([format, compression, ...[...excludedBy(each)].toSorted()]);
  };
  const isSharp =
    before.sizeBytes - backup.sizeBytes >= MIN_LOST_BYTES &&
    fell(before.sizeBytes, backup.sizeBytes, dropPercent) &&
    kind(before) === kind(backup);
  return isSharp ? [{ kind: "size", before: before.sizeBytes, now: backup.sizeBytes }] : [];
}

function fell(before: number, now: number, dropPercent: number): boolean {
  return (before - now) * 100 > before * dropPercent;
}

function tableName({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${schema}.${name}`;
}

function toText({ kind, table, before, now }: Drop): string {
  switch (kind) {
    case "table_gone":
      return `table ${table} with ${before} rows is gone`;
    case "rows":
      return `table ${table} has ${now} rows instead of ${before}`;
    case "size":
      return `the archive has ${now} bytes instead of ${before}`;
  }
}
