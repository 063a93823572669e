import { SERVER_LOG } from "../session/server-errors.ts";
import { DormouseError } from "../../errors.ts";
import { tableKey, totalRows, type TableRows } from "../plain-dump/plain-dump.ts";

export type TableCount = TableRows & {
  /** A table of an extension: CREATE EXTENSION fills it, and a dump holds only what users added. */
  readonly isConfiguration: boolean;
};

/** What a comparison found equal. */
export type Comparison = {
  readonly tables: number;
  readonly rows: number;
  /** All values, or the number of rows of each table. */
  readonly by: "values" | "counts";
  /** Where values were to be compared: what was not, and is not known to be equal. */
  readonly onlyCounted?: readonly string[] | undefined;
};

const NAMED = 5;

/** Throws `rows_differ`, naming tables, unless each table of the dump has the rows that the dump has. */
export function compareRows(expected: readonly TableRows[], found: readonly TableCount[]): Comparison {
  const counts = new Map(found.map((table) => [tableKey(table), table]));
  const differences = [...sumTotals(expected)].flatMap(([id, table]) => difference(table, counts.get(id)));
  if (differences.length === 0) return compareCounts(expected);
  const more = differences.length > NAMED ? ` and ${differences.length - NAMED} more` : "";
  throw rowsDiffer(`${ROWS_DIFFER}: ${differences.slice(0, NAMED).join("; ")}${more}`);
}

/** How a message begins that says so: a server says it of its own transaction. */
export const ROWS_DIFFER = "the loaded database differs from the backup";

/** How a message goes on where there are more than the backup has, by each way of counting. */
export const WRITTEN_MEANWHILE = ", %s of them written while it was loaded";
const IS_WRITTEN_MEANWHILE = /\d of them written while it was loaded/;

export function rowsDiffer(message: string): DormouseError {
  return new DormouseError("rows_differ", message, {
    hint: IS_WRITTEN_MEANWHILE.test(message)
      ? "nothing was changed: a function that a CHECK, an index, a materialized view or an event trigger " +
        "calls writes there; let it write nothing in a backup, or restore by hand"
      : `nothing was changed: restore the backup before it, which GET / lists; ${SERVER_LOG}`,
  });
}

/** What has been compared when each of these tables was found to have its rows. */
export function compareCounts(expected: readonly TableRows[]): Comparison {
  const totals = [...sumTotals(expected).values()];
  return { tables: totals.length, rows: totalRows(totals), by: "counts" };
}

/** A table of several COPYs counts once, with all of them. */
function sumTotals(expected: readonly TableRows[]): ReadonlyMap<string, TableRows> {
  const totals = new Map<string, TableRows>();
  for (const table of expected) {
    const rows = (totals.get(tableKey(table))?.rows ?? 0) + table.rows;
    totals.set(tableKey(table), { ...table, rows });
  }
  return totals;
}

function difference({ schema, name, rows }: TableRows, found: TableCount | undefined): string[] {
  const what = `${schema}.${name}`;
  if (found === undefined) return [`${what} is missing`];
  const agrees = found.isConfiguration ? found.rows >= rows : found.rows === rows;
  const more = found.rows > rows ? WRITTEN_MEANWHILE.replace("%s", `${found.rows - rows}`) : "";
  return agrees ? [] : [`${what} has ${found.rows} rows instead of ${rows}${more}`];
}
