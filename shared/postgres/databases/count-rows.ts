import type pg from "pg";
import type { TableCount } from "./compare-rows.ts";
import type { TableRows } from "../plain-dump/plain-dump.ts";
import { givenPath } from "../session/connection.ts";
import { workThrough, type Session } from "../session/ask-server.ts";
import { identifier } from "../sql-text.ts";

/**
 * Where the rows of a table of a dump lie: in itself, or, when pg_dump loads them through the root of a partitioned table
 * (hashes of enums differ from server to server), in those partitions that the dump does not name.
 */
const FOUND = `SELECT
    EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
      AS configuration,
    CASE c.relkind WHEN 'p' THEN ARRAY(
      SELECT leaf.oid::regclass::text FROM pg_partition_tree(c.oid) tree JOIN pg_class leaf ON leaf.oid = tree.relid
      WHERE leaf.relkind = 'r' AND NOT EXISTS (SELECT FROM unnest($2::text[]) named WHERE to_regclass(named) = leaf.oid))
    ELSE ARRAY[c.oid::regclass::text] END AS relations
  FROM pg_class c WHERE c.oid = (
    SELECT to_regclass(candidate) FROM unnest($1::text[]) WITH ORDINALITY one (candidate, n)
    WHERE to_regclass(candidate) IS NOT NULL ORDER BY n LIMIT 1)`;

/**
 * Counts each table by itself (ONLY), as a dump has them: partitions and children are tables of their own. Tables that
 * are not there are left out of the answer.
 */
export async function countRows(
  session: Session,
  tables: readonly Omit<TableRows, "rows">[],
): Promise<readonly TableCount[]> {
  // SQL of other tools than pg_dump may name tables without their schema.
  const path = tables.some(({ schema }) => schema === "") ? await session(givenPath) : [];
  const candidates = ({ schema, name }: Omit<TableRows, "rows">) =>
    (schema === "" ? path : [schema]).map((each) => `${identifier(each)}.${identifier(name)}`);
  const names = tables.flatMap(candidates);
  const counted: TableCount[] = [];
  await workThrough(session, tables, async (client, table) => {
    const count = await countTable(client, table, { candidates: candidates(table), names });
    if (count !== undefined) counted.push(count);
  });
  return counted;
}

async function countTable(
  client: pg.Client,
  { schema, name }: Omit<TableRows, "rows">,
  { candidates, names }: { readonly candidates: readonly string[]; readonly names: readonly string[] },
): Promise<TableCount | undefined> {
  type Found = { readonly configuration: boolean; readonly relations: readonly string[] };
  const { rows: found } = await client.query<Found>(FOUND, [candidates, names]);
  if (found[0] === undefined) return undefined;
  const { configuration, relations } = found[0];
  let total = 0;
  for (const relation of relations) {
    total += await countRelation(client, relation);
  }
  return { schema, name, rows: total, isConfiguration: configuration };
}

/**
 * Row security that is forced shows an owner without BYPASSRLS a part of its own table, and an owner may have taken the right to
 * read from itself, as for an audit. A database that is being loaded is not in use yet: both are lifted for the count, in a
 * transaction that changes nothing.
 */
async function countRelation(client: pg.Client, relation: string): Promise<number> {
  const { rows: found } = await client.query<{ forced: boolean; denied: boolean }>(
    `SELECT row_security_active(oid) AS forced, NOT has_table_privilege(oid, 'SELECT') AS denied
     FROM CAST(to_regclass($1) AS oid) oid`,
    [relation],
  );
  const lifting = [
    ...(found[0]?.forced === true ? [`ALTER TABLE ${relation} NO FORCE ROW LEVEL SECURITY`] : []),
    ...(found[0]?.denied === true ? [`GRANT SELECT ON ${relation} TO CURRENT_USER`] : []),
  ];
  const count = async () => {
    const { rows } = await client.query<{ rows: string }>(`SELECT count(*) AS rows FROM ONLY ${relation}`);
    return Number(rows[0]?.rows);
  };
  if (lifting.length === 0) return count();
  await client.query("BEGIN");
  try {
    for (const sql of lifting) await client.query(sql);
    return await count();
  } finally {
    await client.query("ROLLBACK").catch(() => undefined);
  }
}
