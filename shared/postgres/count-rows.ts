import pg from "pg";
import type { TableCount } from "../backup/compare-rows.ts";
import type { TableRows } from "../backup/plain-dump.ts";

type Session = <Result>(work: (client: pg.Client) => Promise<Result>) => Promise<Result>;

/** Two sessions side by side: a count reads, and reading waits. */
const AT_ONCE = 2;

const FOUND = `SELECT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
    AND deptype = 'e') AS configuration
  FROM pg_class c WHERE c.oid = to_regclass($1)`;

/**
 * Counts each table by itself (ONLY), as a dump has them: partitions and children are tables of their own. Tables that
 * are not there are left out of the answer.
 */
export async function countRows(
  session: Session,
  tables: readonly Omit<TableRows, "rows">[],
): Promise<readonly TableCount[]> {
  const waiting = [...tables];
  const counted: TableCount[] = [];
  const work = (client: pg.Client) => countSome(client, waiting, counted);
  await Promise.all(Array.from({ length: AT_ONCE }, () => session(work)));
  return counted;
}

async function countSome(
  client: pg.Client,
  waiting: Omit<TableRows, "rows">[],
  counted: TableCount[],
): Promise<void> {
  for (let table = waiting.shift(); table !== undefined; table = waiting.shift()) {
    const { schema, name } = table;
    // Dumps of old releases name tables without their schema.
    const qualified = [schema, name]
      .filter((part) => part !== "")
      .map(pg.escapeIdentifier)
      .join(".");
    const { rows: found } = await client.query<{ configuration: boolean }>(FOUND, [qualified]);
    if (found[0] === undefined) continue;
    const { rows } = await client.query<{ rows: string }>(`SELECT count(*) AS rows FROM ONLY ${qualified}`);
    counted.push({ schema, name, rows: Number(rows[0]?.rows), isConfiguration: found[0].configuration });
  }
}
