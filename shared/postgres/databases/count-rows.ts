import type pg from "pg";
import type { TableCount } from "./compare-rows.ts";
import type { TableRows } from "../plain-dump/plain-dump.ts";
import { givenPath } from "../session/connection.ts";
import { workThrough, type Session } from "../session/ask-server.ts";
import { nameLiteral } from "../sql-text.ts";

/** The first of these names that is one of a table. */
const found = (candidates: readonly string[]) => `SELECT c.oid::text AS oid, c.relkind = 'p' AS partitioned,
    EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
      AS configuration
  FROM pg_class c WHERE c.oid = (
    SELECT to_regclass(candidate) FROM unnest(${textArray(candidates)}) WITH ORDINALITY one (candidate, n)
    WHERE to_regclass(candidate) IS NOT NULL ORDER BY n LIMIT 1)`;

/**
 * Where the rows lie when pg_dump loads them through the root of a partitioned table (hashes of enums differ from server to
 * server): in those partitions that the dump does not name.
 */
const leaves = (root: string, names: readonly string[]) => `SELECT leaf.oid::text AS oid
  FROM pg_partition_tree(${root}) tree JOIN pg_class leaf ON leaf.oid = tree.relid
  WHERE leaf.relkind = 'r' AND NOT EXISTS (SELECT FROM unnest(${textArray(names)}) named WHERE to_regclass(named) = leaf.oid)`;

const textArray = (literals: readonly string[]) => `ARRAY[${literals.join(", ")}]::text[]`;

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
    (schema === "" ? path : [schema]).map((each) => nameLiteral(each, name));
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
  type Found = { readonly oid: string; readonly partitioned: boolean; readonly configuration: boolean };
  const [table] = (await client.query<Found>(found(candidates))).rows;
  if (table === undefined) return undefined;
  const relations = table.partitioned
    ? (await client.query<Pick<Found, "oid">>(leaves(table.oid, names))).rows
    : [table];
  let total = 0;
  for (const { oid } of relations) {
    total += await countRelation(client, oid);
  }
  return { schema, name, rows: total, isConfiguration: table.configuration };
}

/**
 * By the OID of a table, since its name may have no characters in our sessions. Row security that is forced shows an owner without
 * BYPASSRLS a part of its own table, and an owner may have taken the right to read from itself, as for an audit. A database that is
 * being loaded is not in use yet: both are lifted for the count, in a transaction that changes nothing.
 */
async function countRelation(client: pg.Client, oid: string): Promise<number> {
  const counting = `BEGIN;
    DO $count$ DECLARE relation regclass := ${oid}; found bigint; BEGIN
      IF row_security_active(relation) THEN EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', relation); END IF;
      IF NOT has_table_privilege(relation, 'SELECT') THEN EXECUTE format('GRANT SELECT ON %s TO CURRENT_USER', relation); END IF;
      EXECUTE format('SELECT count(*) FROM ONLY %s', relation) INTO found;
      PERFORM set_config('dormouse.rows', found::text, true);
    END $count$;
    SELECT current_setting('dormouse.rows') AS rows`;
  try {
    const answers = (await client.query(counting)) as unknown as readonly { rows: { rows: string }[] }[];
    return Number(answers[2]?.rows[0]?.rows);
  } finally {
    await client.query("ROLLBACK").catch(() => undefined);
  }
}
