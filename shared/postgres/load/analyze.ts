import { workThrough, type Session } from "../session/ask-server.ts";

/**
 * Relations of which a column, or an expression of an index, has no statistics. Those that an archive brings along are there
 * already, but no archive has extended ones. Of what this role may not read it cannot know, and has it analyzed.
 */
const LACKING = `SELECT DISTINCT c.oid
  FROM pg_class c
    CROSS JOIN (VALUES (false), (true)) kind (inherited)
    CROSS JOIN LATERAL (
      SELECT c.oid AS relid, NULL::int2vector AS keys
      UNION ALL SELECT indexrelid, indkey FROM pg_index WHERE indrelid = c.oid AND indexprs IS NOT NULL
    ) part
    JOIN pg_class p ON p.oid = part.relid
    JOIN pg_namespace n ON n.oid = p.relnamespace
    JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attgenerated <> 'v' AND a.attstattarget IS DISTINCT FROM 0
      AND (part.keys IS NULL OR part.keys[a.attnum - 1] = 0)
  WHERE c.relkind IN ('r', 'm', 'p')
    AND CASE WHEN kind.inherited THEN part.keys IS NULL AND c.relhassubclass ELSE c.relkind <> 'p' END
    AND (n.nspname = 'pg_catalog' OR EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = c.oid) OR NOT EXISTS (
      SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = p.relname
        AND s.attname = a.attname AND s.inherited = kind.inherited))`;

/**
 * What ANALYZE without a name looks at, as far as it lacks statistics, the largest first, so that no session is left alone
 * with it in the end. A partitioned table takes its partitions along. What lies in a schema that its owner may not use has no name
 * for it: autovacuum makes those statistics.
 */
const RELATIONS = `WITH lacking AS MATERIALIZED (${LACKING})
  SELECT c.oid FROM pg_class c
  WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND has_schema_privilege(c.relnamespace, 'USAGE')
    AND EXISTS (SELECT FROM lacking l WHERE l.oid = c.oid OR l.oid IN (SELECT relid FROM pg_partition_tree(c.oid)))
  ORDER BY CASE c.relkind
    WHEN 'p' THEN (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(c.oid)) ELSE pg_relation_size(c.oid)
  END DESC NULLS LAST, c.oid`;

/** Makes the statistics that a database lacks which was just loaded. */
export async function analyzeLacking(session: Session): Promise<void> {
  const { rows } = await session((client) => client.query<{ oid: number }>(RELATIONS));
  // By the path that the database has: a function of an index may need it. By OID: the name may have no characters here.
  const analyze = (oid: number) => `RESET search_path;
    DO $analyze$ BEGIN EXECUTE pg_catalog.format('ANALYZE %s', '${oid}'::pg_catalog.regclass); END $analyze$`;
  await workThrough(session, rows, async (client, { oid }) => void (await client.query(analyze(oid))));
}
