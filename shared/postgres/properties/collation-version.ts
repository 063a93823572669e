import type pg from "pg";
import { queryNames } from "../session/ask-server.ts";
import type { DatabaseProperties } from "./database-properties.ts";

const NAMED = 10;
/** Indexes of text that is sorted as the database sorts. */
const INDEXES = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE 'pg_catalog."default"'::regcollation = ANY (i.indcollation) AND n.nspname !~ '^pg_' ORDER BY 1`;

/** The version of the collation in which this server sorts text now; some collations have none. */
const ACTUAL = `SELECT pg_database_collation_actual_version(oid) AS version FROM pg_database
  WHERE datname = current_database()`;

/** An index that was sorted by another version of the library may not find what is there. Needs PostgreSQL 15. */
export async function collationWarnings(
  client: pg.Client,
  { collationVersion }: DatabaseProperties,
): Promise<string[]> {
  if (collationVersion === undefined) return [];
  const { rows: versions } = await client.query<{ version: string | null }>(ACTUAL);
  const actual = versions[0]?.version ?? undefined;
  if (actual === undefined || actual === collationVersion) return [];
  const names = await queryNames(client, INDEXES);
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return [
    `text was sorted by version ${collationVersion} of its collation, and the server has ${actual}: ` +
      `REINDEX DATABASE, then ALTER DATABASE ... REFRESH COLLATION VERSION` +
      (names.length === 0 ? "" : `; it concerns the indexes ${names.slice(0, NAMED).join(", ")}${more}`),
  ];
}
