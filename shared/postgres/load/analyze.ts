import { workThrough, type Session } from "./work-through.ts";

/**
 * What ANALYZE without a name looks at, the largest first, so that no session is left alone with it in the end. A
 * partitioned table takes its partitions along.
 */
const RELATIONS = `SELECT c.oid::regclass::text AS name FROM pg_class c
  WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  ORDER BY CASE c.relkind
    WHEN 'p' THEN (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(c.oid)) ELSE pg_relation_size(c.oid)
  END DESC NULLS LAST, name`;

/** Statistics for all of a database. */
export async function analyzeAll(session: Session): Promise<void> {
  const { rows } = await session((client) => client.query<{ name: string }>(RELATIONS));
  await workThrough(session, rows, async (client, { name }) => void (await client.query(`ANALYZE ${name}`)));
}
