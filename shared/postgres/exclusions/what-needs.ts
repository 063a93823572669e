import type pg from "pg";
import { queryNames } from "../session/ask-server.ts";

/** Of a view its rule depends on the table. The sequence of a column is dumped with its table, whatever is left out. */
const NEEDING = `WITH lost AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE format('%I.%I', n.nspname, c.relname) = ANY ($1) AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend o
      WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i')))
  ), needing AS (
    SELECT 'pg_class'::regclass::oid AS class, inhrelid AS object, inhrelid AS relation FROM pg_inherits
      WHERE inhparent IN (SELECT oid FROM lost)
    UNION SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END, coalesce(r.ev_class, d.objid),
        coalesce(r.ev_class, k.conrelid, a.adrelid, p.polrelid, d.objid)
      FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
        LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
        LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM lost) AND d.deptype = 'n'
  )
  SELECT pg_describe_object(class, object, 0) AS name FROM needing
  WHERE relation NOT IN (SELECT oid FROM lost) ORDER BY name LIMIT 20`;

/** What a dump holds that cannot be made without these tables, which it does not. */
export function whatNeeds(client: pg.Client, tables: readonly string[]): Promise<string[]> {
  return queryNames(client, NEEDING, [tables]);
}
