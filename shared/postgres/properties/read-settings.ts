import type pg from "pg";
import type { Settings } from "./database-properties.ts";
import { refusal, TEXT_SEARCH } from "./refused-settings.ts";
import { carried, OF_THE_DATABASE, OF_TOOLS } from "./session-settings.ts";

/** Those that this server has and this role may set; pg_settings does not show the role itself. */
export async function available(client: pg.Client, settings: Settings): Promise<Settings> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT s.name FROM pg_settings s JOIN pg_roles r ON r.rolname = current_user
     WHERE s.name = ANY ($1) AND (s.context = 'user' OR r.rolsuper)`,
    [Object.keys(settings)],
  );
  const known = new Set(["role", ...rows.map(({ name }) => name)]);
  return Object.fromEntries(Object.entries(settings).filter(([name]) => known.has(name)));
}

/** What pg_dump works under: what the application does, and what makes it a dump. */
export async function settingsOfDump(client: pg.Client, own: Settings, encoding: string): Promise<Settings> {
  return { ...carried(own, encoding), ...(await available(client, OF_TOOLS)) };
}

/**
 * By rank, as the server itself ranks them: of the owner in this database, of the owner, of the database, of all. What a
 * setting of the asking role hides comes from the configuration files, where the role may see those. What a library leaves to
 * superusers, as auto_explain does, keeps others out who ask for it, and decides no value.
 */
const GIVEN = `
  SELECT name, value, current_database() = $1 AS "isInside" FROM (
    SELECT split_part(item, '=', 1) AS name, substr(item, strpos(item, '=') + 1) AS value,
      CASE WHEN s.setrole = 0 THEN 0 ELSE 2 END + CASE WHEN s.setdatabase = 0 THEN 0 ELSE 1 END AS rank
    FROM pg_db_role_setting s JOIN pg_database d ON d.datname = $1, unnest(s.setconfig) item
    WHERE s.setrole IN (0, d.datdba) AND s.setdatabase IN (0, d.oid)
    UNION ALL SELECT name, setting, -1 FROM pg_settings
    WHERE source NOT IN ('database', 'user', 'database user', 'client')) given
  WHERE name = ANY ($2) OR name LIKE '%.%' AND rank >= 0
    AND NOT EXISTS (SELECT FROM pg_settings known WHERE lower(known.name) = lower(given.name) AND known.context <> 'user')
  ORDER BY lower(name), rank DESC`;
const FILES = `
  SELECT s.name, coalesce((SELECT f.setting FROM pg_file_settings f
    WHERE lower(f.name) = lower(s.name) AND f.error IS NULL ORDER BY f.seqno DESC LIMIT 1), s.boot_val) AS value
  FROM pg_settings s WHERE s.name = ANY ($1)`;
const MAY_SEE_FILES = `SELECT has_table_privilege('pg_file_settings', 'SELECT')
  AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE') AS may`;

/** What a session of the owner of `database` works under: applications are its owner's more often than any other role's. */
export async function settingsOfDatabase(client: pg.Client, database: string): Promise<Settings> {
  const names = [...OF_THE_DATABASE];
  type Row = { name: string; value: string; isInside: boolean };
  const { rows: given } = await client.query<Row>(GIVEN, [database, names]);
  const found = new Map<string, Pick<Row, "name" | "value">>();
  for (const row of given)
    if (!found.has(row.name.toLowerCase()) && (await isInForce(client, row)))
      found.set(row.name.toLowerCase(), row);
  const hidden = names.filter((name) => !found.has(name.toLowerCase()));
  if (hidden.length > 0 && (await client.query<{ may: boolean }>(MAY_SEE_FILES)).rows[0]?.may === true) {
    const { rows } = await client.query<Row>(FILES, [hidden]);
    for (const row of rows) found.set(row.name.toLowerCase(), row);
  }
  const settings = [...found.values()].map(({ name, value }) => [name, value] as const);
  return Object.fromEntries(settings.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** A session begins without what the server does not take any more, and has what stands behind it by rank. */
async function isInForce(
  client: pg.Client,
  { name, value, isInside }: { name: string; value: string; isInside: boolean },
): Promise<boolean> {
  if (name === TEXT_SEARCH && !isInside) return true;
  return (await refusal(client, name, value)) === undefined;
}
