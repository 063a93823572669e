import type pg from "pg";
import { readCode } from "../../errors.ts";
import { inTransaction } from "../session/ask-server.ts";
import { creationSql, finishingSql, settingsSql } from "./database-sql.ts";
import type { DatabaseProperties } from "./database-properties.ts";
import { partSettings } from "./refused-settings.ts";
import { decodeText, settingsIn } from "./read-settings.ts";
import { withoutMark, changeMark, readMarks } from "../databases/database-mark.ts";
import { identifier } from "../sql-text.ts";

/** Where the properties of a database to make come from: one that is there, else what was noted of it. */
export type Likeness = { readonly like: string; readonly otherwise?: DatabaseProperties | undefined };

/** pg_database has other columns in each major; as JSON they can be asked for by name. */
type Row = {
  readonly oid: string;
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly tablespace: string;
  readonly connectionLimit: number;
  readonly isTemplate: boolean;
  /** As the session had it that wrote it, which only sessions of the same encoding may look at. */
  readonly comment: string | null;
  readonly grants: { grantee: string | null; privilege: string; grantable: boolean }[] | null;
  readonly labels: { provider: string; label: string }[];
  readonly row: Readonly<Record<string, string | number | boolean | null>>;
};

const READ = `
  SELECT d.oid, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate,
    d.datctype AS ctype, t.spcname AS tablespace, d.datconnlimit AS "connectionLimit", d.datistemplate AS "isTemplate",
    encode(decode(replace(shobj_description(d.oid, 'pg_database'), chr(92), repeat(chr(92), 2)), 'escape'), 'hex') AS comment, to_jsonb(d) - 'datacl' AS row,
    CASE WHEN d.datacl IS NOT NULL THEN coalesce((SELECT json_agg(json_build_object('grantee',
        CASE acl.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(acl.grantee) END,
        'privilege', acl.privilege_type, 'grantable', acl.is_grantable)) FROM aclexplode(d.datacl) acl), '[]')
      END AS grants,
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
  const { oid, row, comment, grants, ...plain } = rows[0];
  const text = (key: string) => (row[key] === null || row[key] === undefined ? undefined : String(row[key]));
  return withoutGaps({
    ...plain,
    localeProvider: PROVIDERS[text("datlocprovider") ?? "c"] ?? "libc",
    locale: text("datlocale") ?? text("daticulocale"),
    icuRules: text("daticurules"),
    collationVersion: text("datcollversion"),
    comment:
      comment === null
        ? undefined
        : (withoutMark(await decodeText(client, Buffer.from(comment, "hex"), plain.encoding)) ?? undefined),
    grants: grants?.map(({ grantee, ...grant }) => withoutGaps({ ...grant, grantee: grantee ?? undefined })),
    settings: await settingsIn(client, oid, plain.encoding),
  });
}

/** Where the others lie: what JSON cannot hold is not there. */
function withoutGaps<Value extends object>(value: Value): Value {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Value;
}

/** Without the settings that the server does not take. Undefined where nothing is known. */
export async function findLikeness(
  client: pg.Client,
  { like, otherwise }: Likeness,
): Promise<DatabaseProperties | undefined> {
  const properties = (await readProperties(client, like)) ?? otherwise;
  return properties && { ...properties, settings: (await partSettings(client, properties.settings)).taken };
}

/**
 * Creates an empty, closed database with all that must be there before its first row, but for its settings. With the server's
 * defaults where nothing is known. Where the right to connect to the other was changed, only its owner may connect to the new
 * one until it has the same grants: a load takes its time.
 */
export async function createLike(
  client: pg.Client,
  created: string,
  properties: DatabaseProperties | undefined,
): Promise<void> {
  const name = identifier(created);
  if (properties === undefined) {
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0${CLOSED}`);
    return;
  }
  await client.query(`${creationSql(created, properties, await describeTablespace(client))}${CLOSED}`);
  if (properties.grants !== undefined) await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
}

/** Until it bears the mark of its restore. */
const CLOSED = " ALLOW_CONNECTIONS false";

/** The tablespace in which new databases lie that name none. */
async function describeTablespace(client: pg.Client): Promise<string> {
  const sql = `SELECT spcname AS name FROM pg_tablespace t JOIN pg_database d ON t.oid = d.dattablespace
    WHERE d.datname = 'template0'`;
  return (await client.query<{ name: string }>(sql)).rows[0]?.name ?? "pg_default";
}

/**
 * Gives a database its settings, in a session that is in it, so that the server keeps them in its encoding. They decide what a
 * text means while it is loaded. `isScratch` leaves out those that this role may not give: what they mean for the load its sessions
 * bring with them.
 */
export async function giveSettings(
  client: pg.Client,
  database: string,
  properties: DatabaseProperties,
  isScratch: boolean,
): Promise<void> {
  for (const statement of settingsSql(database, properties)) {
    await client.query(statement).catch((error: unknown) => {
      if (!isScratch || readCode(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    });
  }
}

const INSUFFICIENT_PRIVILEGE = "42501";

/**
 * Gives `to` what a new database has not: grants, connection limit, comment, security labels, and whether it is a template; in a
 * session that is in it, so that the server keeps the comment in its encoding.
 */
export async function finishLike(
  client: pg.Client,
  to: string,
  properties: DatabaseProperties,
): Promise<void> {
  await inTransaction(client, async () => {
    const mark = (await readMarks(client, [to])).get(to);
    for (const statement of finishingSql(to, properties)) await client.query(statement);
    await changeMark(client, to, () => mark ?? {});
  });
}
