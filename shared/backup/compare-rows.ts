import { DormouseError } from "../errors.ts";
import type { TableRows } from "./plain-dump.ts";

export type TableCount = TableRows & {
  /** A table of an extension: CREATE EXTENSION fills it, and a dump holds only what users added. */
  readonly isConfiguration: boolean;
};

/** What a comparison found equal. */
export type Comparison = { readonly tables: number; readonly rows: number };

const NAMED = 5;

/** Throws `rows_differ`, naming tables, unless each table of the dump has the rows that the dump has. */
export function compareRows(expected: readonly TableRows[], found: readonly TableCount[]): Comparison {
  const key = ({ schema, name }: { readonly schema: string; readonly name: string }) => `${schema}\0${name}`;
  const counts = new Map(found.map((table) => [key(table), table]));
  // A table of several COPYs counts once, with all of them.
  const totals = new Map<string, TableRows>();
  for (const table of expected) {
    const rows = (totals.get(key(table))?.rows ?? 0) + table.rows;
    totals.set(key(table), { ...table, rows });
  }
  const differences = [...totals].flatMap(([id, table]) => difference(table, counts.get(id)));
  if (differences.length === 0)
    return { tables: totals.size, rows: [...totals.values()].reduce((sum, { rows }) => sum + rows, 0) };
  const more = differences.length > NAMED ? ` and ${differences.length - NAMED} more` : "";
  throw new DormouseError(
    "rows_differ",
    `the loaded database differs from the backup: ${differences.slice(0, NAMED).join("; ")}${more}`,
    { hint: "nothing was exchanged: look at the server's log, and try another backup" },
  );
}

function difference({ schema, name, rows }: TableRows, found: TableCount | undefined): string[] {
  const what = `${schema}.${name}`;
  if (found === undefined) return [`${what} is missing`];
  const agrees = found.isConfiguration ? found.rows >= rows : found.rows === rows;
  return agrees ? [] : [`${what} has ${found.rows} rows instead of ${rows}`];
}
