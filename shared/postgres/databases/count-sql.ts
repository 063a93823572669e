import type { TableRows } from "../plain-dump/plain-dump.ts";
import { nameLiteral } from "../sql-text.ts";

export type NamedTable = Pick<TableRows, "schema" | "name">;

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
