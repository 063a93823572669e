import type { Manifest } from "../wire.ts";

export type TableChange = {
  readonly table: string;
  /** `changed` has as many rows and other values, which hashes tell. */
  readonly kind: "came" | "went" | "grew" | "shrank" | "changed";
  /** Rows. */
  readonly before: number;
  readonly now: number;
};

export type Difference = {
  readonly before: string;
  readonly now: string;
  readonly rows: readonly [before: number, now: number];
  readonly archiveBytes: readonly [before: number, now: number];
  readonly databaseBytes: readonly [before: number, now: number];
  /** The largest change first. */
  readonly tables: readonly TableChange[];
  readonly unchanged: number;
  /** What has other values or definitions; undefined where one of the two backups has no hash of it. */
  readonly changed: Readonly<Record<"schema" | "sequences" | "largeObjects", boolean | undefined>>;
  /** Whether all that is there is known to be the same. */
  readonly isSame: boolean;
};

type Table = { readonly rows: number; readonly hash?: string | undefined };

/** What changed between two backups, by the rows that were counted and hashed when they were taken. */
export function compareBackups(before: Manifest, now: Manifest): Difference {
  const [old, current] = [tablesOf(before), tablesOf(now)];
  // Rows that were left out are neither there nor gone.
  const excluded = new Set([before, now].flatMap((each) => each.excluded?.tables ?? []).map(tableName));
  const tables = [...new Set([...old.keys(), ...current.keys()])].filter((table) => !excluded.has(table));
  const changes = tables.flatMap((table) => changeOf(table, old.get(table), current.get(table)) ?? []);
  const changed = {
    schema: differs(before.content.schemaSha256, now.content.schemaSha256),
    sequences: differs(before.content.sequences?.hash, now.content.sequences?.hash),
    largeObjects: differs(before.content.largeObjectsHash, now.content.largeObjectsHash),
  };
  return {
    before: before.name,
    now: now.name,
    rows: [before.content.rows, now.content.rows],
    archiveBytes: [before.archive.sizeBytes, now.archive.sizeBytes],
    databaseBytes: [before.content.databaseBytes, now.content.databaseBytes],
    tables: changes.toSorted((a, b) => Math.abs(b.now - b.before) - Math.abs(a.now - a.before)),
    unchanged: tables.length - changes.length,
    changed,
    isSame: changes.length === 0 && Object.values(changed).every((each) => each === false),
  };
}

/** A table may be dumped in several parts. */
function tablesOf({ content }: Manifest): ReadonlyMap<string, Table> {
  const tables = new Map<string, Table>();
  for (const table of content.tables) {
    const { rows, hash } = table;
    const key = tableName(table);
    const before = tables.get(key);
    const both = before?.hash !== undefined && hash !== undefined ? `${before.hash} ${hash}` : undefined;
    tables.set(key, before === undefined ? { rows, hash } : { rows: before.rows + rows, hash: both });
  }
  return tables;
}

function tableName({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${schema}.${name}`;
}

function changeOf(table: string, before: Table | undefined, now: Table | undefined): TableChange | undefined {
  const rows = { before: before?.rows ?? 0, now: now?.rows ?? 0 };
  if (before === undefined) return { table, kind: "came", ...rows };
  if (now === undefined) return { table, kind: "went", ...rows };
  if (rows.before !== rows.now) return { table, kind: rows.now > rows.before ? "grew" : "shrank", ...rows };
  return differs(before.hash, now.hash) === true ? { table, kind: "changed", ...rows } : undefined;
}

function differs(before: string | undefined, now: string | undefined): boolean | undefined {
  return before === undefined || now === undefined ? undefined : before !== now;
}
