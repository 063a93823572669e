import type { Manifest } from "../wire.ts";

export type TableChange = {
  readonly table: string;
  readonly kind: "came" | "went" | "grew" | "shrank";
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
};

/** What came, went, grew or shrank between two backups, by the rows that were counted when they were proved. */
export function compareBackups(before: Manifest, now: Manifest): Difference {
  const [old, current] = [rowsByTable(before), rowsByTable(now)];
  // Rows that were left out are neither there nor gone.
  const excluded = new Set([before, now].flatMap((each) => each.excluded?.tables ?? []).map(tableName));
  const tables = [...new Set([...old.keys(), ...current.keys()])].filter((table) => !excluded.has(table));
  const changes = tables.flatMap((table) => changeOf(table, old.get(table), current.get(table)) ?? []);
  return {
    before: before.name,
    now: now.name,
    rows: [before.content.rows, now.content.rows],
    archiveBytes: [before.archive.sizeBytes, now.archive.sizeBytes],
    databaseBytes: [before.content.databaseBytes, now.content.databaseBytes],
    tables: changes.toSorted((a, b) => Math.abs(b.now - b.before) - Math.abs(a.now - a.before)),
    unchanged: tables.length - changes.length,
  };
}

function rowsByTable({ content }: Manifest): ReadonlyMap<string, number> {
  return new Map(content.tables.map((table) => [tableName(table), table.rows]));
}

function tableName({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${schema}.${name}`;
}

function changeOf(
  table: string,
  before: number | undefined,
  now: number | undefined,
): TableChange | undefined {
  if (before === undefined) return { table, kind: "came", before: 0, now: now ?? 0 };
  if (now === undefined) return { table, kind: "went", before, now: 0 };
  if (before === now) return undefined;
  return { table, kind: now > before ? "grew" : "shrank", before, now };
}
