import type pg from "pg";
import type { TableCount } from "./compare-rows.ts";
import type { TableRows } from "../plain-dump/plain-dump.ts";
import { givenPath } from "../session/connection.ts";
import { workThrough, type Session } from "../session/ask-server.ts";
import { nameLiteral } from "../sql-text.ts";

type NamedTable = Pick<TableRows, "schema" | "name">;

/** As rows `named (schema, name, n)`. */
export function listed(tables: readonly NamedTable[]): string {
  const array = (names: readonly string[]) => `ARRAY[${names.map(nameLiteral).join(", ")}]::text[]`;
  const [schemas, names] = [tables.map(({ schema }) => schema), tables.map(({ name }) => name)];
  return `unnest(${array(schemas)}, ${array(names)}) WITH ORDINALITY named (schema, name, n)`;
}

/** What of the server a name of these is. Not by to_regclass, for which a role needs USAGE of the schema. */
export const NAMED_SCHEMA = "pg_namespace s ON s.nspname = named.schema";
export const NAMED_TABLE = "pg_class c ON c.relnamespace = s.oid AND c.relname = named.name";

/** For `COUNTING`. */
export const COUNTED = "relation regclass; place regnamespace; counted bigint;";
/**
 * Of plpgsql: how many rows lie in `relation`, into `counted`. By its OID, since its name may have no characters in our sessions. Row
 * security that is forced shows an owner without BYPASSRLS a part of its own table, and an owner may have taken the right to read, or
 * to use the schema, from itself, as for an audit. What was loaded is not in use yet: all that is lifted for the count, and is back
 * with the error that ends the block.
 */
export const COUNTING = `BEGIN
    place := (SELECT relnamespace FROM pg_class WHERE oid = relation);
    IF NOT has_schema_privilege(place, 'USAGE') THEN EXECUTE format('GRANT USAGE ON SCHEMA %s TO CURRENT_USER', place); END IF;
    IF row_security_active(relation) THEN EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', relation); END IF;
    IF NOT has_table_privilege(relation, 'SELECT') THEN EXECUTE format('GRANT SELECT ON %s TO CURRENT_USER', relation); END IF;
    EXECUTE format('SELECT count(*) FROM ONLY %s', relation) INTO counted;
    RAISE SQLSTATE 'DM001';
  EXCEPTION WHEN SQLSTATE 'DM001' THEN NULL;
  END;`;

/** The first of these names that is one of a table. */
const found = (
  candidates: readonly NamedTable[],
) => `SELECT c.oid::text AS oid, c.relkind = 'p' AS partitioned,
    EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
      AS configuration
  FROM ${listed(candidates)} JOIN ${NAMED_SCHEMA} JOIN ${NAMED_TABLE} ORDER BY n LIMIT 1`;

/**
 * Where the rows lie when pg_dump loads them through the root of a partitioned table (hashes of enums differ from server to
 * server): in those partitions that the dump does not name.
 */
const leaves = (root: string, tables: readonly NamedTable[]) => `SELECT leaf.oid::text AS oid
  FROM pg_partition_tree(${root}) tree JOIN pg_class leaf ON leaf.oid = tree.relid
  WHERE leaf.relkind = 'r'
    AND NOT EXISTS (SELECT FROM ${listed(tables)} JOIN ${NAMED_SCHEMA} JOIN ${NAMED_TABLE} WHERE c.oid = leaf.oid)`;

/**
 * Counts each table by itself (ONLY), as a dump has them: partitions and children are tables of their own. Tables that
 * are not there are left out of the answer.
 */
export async function countRows(
  session: Session,
  tables: readonly NamedTable[],
): Promise<readonly TableCount[]> {
  // SQL of other tools than pg_dump may name tables without their schema.
  const path = tables.some(({ schema }) => schema === "") ? await session(givenPath) : [];
  const candidates = ({ schema, name }: NamedTable) =>
    (schema === "" ? path : [schema]).map((each) => ({ schema: each, name }));
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
  { schema, name }: NamedTable,
  {
    candidates,
    names,
  }: { readonly candidates: readonly NamedTable[]; readonly names: readonly NamedTable[] },
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

async function countRelation(client: pg.Client, oid: string): Promise<number> {
  const counting = `DO $count$ DECLARE ${COUNTED} BEGIN
      relation := ${oid};
      ${COUNTING}
      PERFORM set_config('dormouse.rows', counted::text, true);
    END $count$;
    SELECT current_setting('dormouse.rows') AS rows`;
  const answers = (await client.query(counting)) as unknown as readonly { rows: { rows: string }[] }[];
  return Number(answers[1]?.rows[0]?.rows);
}
