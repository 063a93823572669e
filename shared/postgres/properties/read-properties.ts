import pg from "pg";
import { creationSql, finishingSql, settingsSql } from "./database-sql.ts";
import type { DatabaseProperties } from "./database-properties.ts";
import { partSettings } from "./refused-settings.ts";
import { withoutMark, changeMark, readMarks } from "../databases/database-mark.ts";

/** Where the properties of a database to make come from: one that is there, else what was noted of it. */
export type Likeness = { readonly like: string; readonly otherwise?: DatabaseProperties | undefined };

/** pg_database has other columns in each major; as JSON they can be asked for by name. */
type Row = {
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly tablespace: string;
  readonly connectionLimit: number;
  readonly isTemplate: boolean;
  readonly comment: string | null;
  readonly grants: { grantee: string | null; privilege: string; grantable: boolean }[] | null;
  readonly settings: { role: string | null; name: string; value: string }[];
  readonly labels: { provider: string; label: string }[];
  readonly row: Readonly<Record<string, string | number | boolean | null>>;
};

const READ = `
  SELECT pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate,
    d.datctype AS ctype, t.spcname AS tablespace, d.datconnlimit AS "connectionLimit", d.datistemplate AS "isTemplate",
    shobj_description(d.oid, 'pg_database') AS comment, to_jsonb(d) - 'datacl' AS row,
    CASE WHEN d.datacl IS NOT NULL THEN coalesce((SELECT json_agg(json_build_object('grantee',
        CASE acl.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(acl.grantee) END,
        'privilege', acl.privilege_type, 'grantable', acl.is_grantable)) FROM aclexplode(d.datacl) acl), '[]')
      END AS grants,
    coalesce((SELECT json_agg(json_build_object('role', r.rolname, 'name', split_part(item, '=', 1),
        'value', substr(item, strpos(item, '=') + 1)))
      FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) item
      WHERE s.setdatabase = d.oid), '[]') AS settings,
    coalesce((SELECT json_agg(json_build_object('provider', provider, 'label', label)) FROM pg_shseclabel
      WHERE objoid = d.oid AND classoid = 'pg_database'::regclass), '[]') AS labels
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1`;

const PROVIDERS: Readonly<Record<string, string>> = { c: "libc", i: "icu", b: "builtin" };

/** Undefined where there is no such database. */
export async function readProperties(
  client: pg.Client,
  database: string,
): Promise<DatabaseProperties | undefined> {
  const { rows } = await client.query<Row>(READ, [database]);
  if (rows[0] === undefined) return undefined;
  const { row, comment, grants, settings, ...plain } = rows[0];
  const text = (key: string) => (row[key] === null || row[key] === undefined ? undefined : String(row[key]));
  return withoutGaps({
    ...plain,
    localeProvider: PROVIDERS[text("datlocprovider") ?? "c"] ?? "libc",
    locale: text("datlocale") ?? text("daticulocale"),
    icuRules: text("daticurules"),
    collationVersion: text("datcollversion"),
    comment: withoutMark(comment) ?? undefined,
    grants: grants?.map(({ grantee, ...grant }) => withoutGaps({ ...grant, grantee: grantee ?? undefined })),
    settings: settings.map(({ role, ...setting }) => withoutGaps({ ...setting, role: role ?? undefined })),
  });
}

/** Where the others lie: what JSON cannot hold is not there. */
function withoutGaps<Value extends object>(value: Value): Value {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Value;
}

/**
 * Creates an empty, closed database with all that must be there before its first row. With the server's defaults where nothing is
 * known. Where the right to connect to the other was changed, only its owner may connect to the new one until it has the
 * same grants: a load takes its time. `isScratch` leaves out settings that this role may not give: what they mean for the
 * load its sessions bring with them.
 */
export async function createLike(
  client: pg.Client,
  created: string,
  { like, otherwise, isScratch }: Likeness & { readonly isScratch: boolean },
): Promise<void> {
  const properties = await likeness(client, { like, otherwise });
  const name = pg.escapeIdentifier(created);
  if (properties === undefined) {
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0${CLOSED}`);
    return;
  }
  await client.query(`${creationSql(created, properties, await describeTablespace(client))}${CLOSED}`);
  if (properties.grants !== undefined) await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  for (const statement of settingsSql(created, properties)) {
    await client.query(statement).catch((error: unknown) => {
      if (!isScratch || (error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    });
  }
}

/** Without the settings that the server does not take. */
async function likeness(
  client: pg.Client,
  { like, otherwise }: Likeness,
): Promise<DatabaseProperties | undefined> {
  const properties = (await readProperties(client, like)) ?? otherwise;
  return properties && { ...properties, settings: (await partSettings(client, properties.settings)).taken };
}

/** Until it bears the mark of its restore. */
const CLOSED = " ALLOW_CONNECTIONS false";
const INSUFFICIENT_PRIVILEGE = "42501";

/** The tablespace in which new databases lie that name none. */
async function describeTablespace(client: pg.Client): Promise<string> {
  const sql = `SELECT spcname AS name FROM pg_tablespace t JOIN pg_database d ON t.oid = d.dattablespace
    WHERE d.datname = 'template0'`;
  return (await client.query<{ name: string }>(sql)).rows[0]?.name ?? "pg_default";
}

/**
 * Gives `to` what a new database has not: grants, connection limit, comment, security labels, whether it is a template,
 * and settings that were given while it was loaded. Where nothing is known the defaults stay.
 */
export async function copyProperties(client: pg.Client, given: Likeness, to: string): Promise<void> {
  const properties = await likeness(client, given);
  if (properties === undefined) return;
  await client.query("BEGIN");
  try {
    const mark = (await readMarks(client, [to])).get(to);
    for (const statement of [...settingsSql(to, properties), ...finishingSql(to, properties)])
      await client.query(statement);
    await changeMark(client, to, () => mark ?? {});
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
