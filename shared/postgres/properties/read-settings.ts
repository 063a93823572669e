import { isAscii } from "node:buffer";
import type pg from "pg";
import { readCode } from "../../errors.ts";
import { queryNames } from "../session/ask-server.ts";
import type { DatabaseProperties, Settings } from "./database-properties.ts";
import { refusal, TEXT_SEARCH } from "./refused-settings.ts";
import { carried, OF_THE_DATABASE, OF_TOOLS, OVER_DAMAGE } from "./session-settings.ts";

/** Those that this server has and this role may set; pg_settings does not show the role itself. */
export async function available(client: pg.Client, settings: Settings): Promise<Settings> {
  const names = await queryNames(
    client,
    `SELECT s.name FROM pg_settings s JOIN pg_roles r ON r.rolname = current_user
     WHERE s.name = ANY ($1) AND (s.context = 'user' OR r.rolsuper)`,
    [Object.keys(settings)],
  );
  const known = new Set(["role", ...names]);
  return Object.fromEntries(Object.entries(settings).filter(([name]) => known.has(name)));
}

/** What pg_dump works under: what the application does, and what makes it a dump. */
export async function settingsOfDump(client: pg.Client, own: Settings, encoding: string): Promise<Settings> {
  return { ...carried(own, encoding), ...(await available(client, OF_TOOLS)) };
}

/** Also where the dump itself does without: a page that another session has read as empty is so for all. */
export async function damageWarnings(client: pg.Client): Promise<string[]> {
  const sql = "SELECT name FROM pg_settings WHERE name = ANY ($1) AND setting = 'on' ORDER BY name";
  return (await queryNames(client, sql, [Object.keys(OVER_DAMAGE)])).map(
    (name) =>
      `${name} is on, so that the server may read damaged pages without an error and the backup may lack their rows; ` +
      "a superuser turns it off: ALTER DATABASE, ALTER ROLE or ALTER SYSTEM ... RESET, by where it is set",
  );
}

/** What a session of the asking role has from the configuration files, where no setting of its own hides it. */
const OF_FILES = `SELECT name, setting AS value FROM pg_settings
  WHERE name = ANY ($1) AND source NOT IN ('database', 'user', 'database user', 'client')`;
/** What a library leaves to superusers, as auto_explain does, keeps others out who ask for it, and decides no value. */
const OF_SUPERUSERS =
  "SELECT lower(name) AS name FROM pg_settings WHERE name LIKE '%.%' AND context <> 'user'";
/** What a setting of the asking role hides, where the role may see those files. */
const FILES = `
  SELECT s.name, coalesce((SELECT f.setting FROM pg_file_settings f
    WHERE lower(f.name) = lower(s.name) AND f.error IS NULL ORDER BY f.seqno DESC LIMIT 1), s.boot_val) AS value
  FROM pg_settings s WHERE s.name = ANY ($1)`;
const MAY_SEE_FILES = `SELECT has_table_privilege('pg_file_settings', 'SELECT')
  AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE') AS may`;

/** What a session of the owner of `database` works under: applications are its owner's more often than any other role's. */
export async function settingsOfDatabase(client: pg.Client, database: string): Promise<Settings> {
  const names = [...OF_THE_DATABASE];
  const files = await client.query<Row>(OF_FILES, [names]);
  const found = new Map(files.rows.map((row) => [row.name.toLowerCase(), row]));
  for (const row of await givenTo(client, database))
    if (await isInForce(client, row, database)) found.set(row.name.toLowerCase(), row);
  const hidden = names.filter((name) => !found.has(name.toLowerCase()));
  if (hidden.length > 0 && (await client.query<{ may: boolean }>(MAY_SEE_FILES)).rows[0]?.may === true) {
    const { rows } = await client.query<Row>(FILES, [hidden]);
    for (const row of rows) found.set(row.name.toLowerCase(), row);
  }
  const settings = [...found.values()].map(({ name, value }) => [name, value] as const);
  return Object.fromEntries(settings.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

type Row = { readonly name: string; readonly value: string };

/** A session begins without what the server does not take any more, and has what stands behind it by rank. */
async function isInForce(client: pg.Client, { name, value }: Row, database: string): Promise<boolean> {
  if (name === TEXT_SEARCH && database !== client.database) return true;
  return (await refusal(client, name, value)) === undefined;
}

/** By rank, as the server itself ranks them: of all, of the database, of the owner, of the owner in this database. */
async function givenTo(client: pg.Client, database: string): Promise<readonly Row[]> {
  type Known = { readonly oid: string; readonly owner: string; readonly encoding: string };
  const { rows } = await client.query<Known>(
    "SELECT oid, datdba AS owner, pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = $1",
    [database],
  );
  if (rows[0] === undefined) return [];
  const { oid, owner, encoding } = rows[0];
  const where = `setrole IN (0, ${owner}) AND setdatabase IN (0, ${oid})`;
  const kept = await keptSettings(client, where, encoding);
  const closed = new Set(await queryNames(client, OF_SUPERUSERS));
  const rank = (setting: KeptSetting) => (setting.role === "0" ? 0 : 2) + (setting.database === "0" ? 0 : 1);
  const known: ReadonlySet<string> = new Set(OF_THE_DATABASE);
  return kept
    .filter(({ name }) => known.has(name) || (name.includes(".") && !closed.has(name.toLowerCase())))
    .toSorted((a, b) => rank(a) - rank(b));
}

/** As `pg_db_role_setting` has it; an OID of 0 is every role, or every database. */
export type KeptSetting = {
  readonly role: string;
  readonly database: string;
  readonly name: string;
  readonly value: string;
};

/** The bytes as they are, and in one transaction: behind it the session has its encoding again. */
const inBytes = (where: string) => `SET LOCAL client_encoding = SQL_ASCII;
  SELECT setrole AS role, setdatabase AS database, encode(textsend(item), 'hex') AS item
    FROM pg_db_role_setting, unnest(setconfig) WITH ORDINALITY AS given (item, at)
    WHERE ${where} ORDER BY setrole, setdatabase, at`;

/**
 * What ALTER DATABASE and ALTER ROLE have set, as the sessions of a database of that encoding have it. The catalog is one for all
 * databases, and keeps the bytes that the database has in which a setting was given: a session elsewhere would take those for text
 * of its own encoding. What is no text of it has U+FFFD in its value. `where` is SQL without a parameter. Not in a transaction, which would end
 * where a text cannot be read.
 */
export async function keptSettings(
  client: pg.Client,
  where: string,
  encoding: string,
): Promise<readonly KeptSetting[]> {
  type Raw = Pick<KeptSetting, "role" | "database"> & { readonly item: string };
  const answers = (await client.query(inBytes(where))) as unknown as readonly { rows: Raw[] }[];
  const settings: KeptSetting[] = [];
  for (const { item, role, database } of answers[1]?.rows ?? []) {
    const text = await decodeText(client, Buffer.from(item, "hex"), encoding);
    const at = text.indexOf("=");
    settings.push({ role, database, name: text.slice(0, at), value: text.slice(at + 1) });
  }
  return settings;
}

/** ALTER DATABASE ... SET, and ALTER ROLE ... IN DATABASE ... SET. */
export async function settingsIn(
  client: pg.Client,
  oid: string,
  encoding: string,
): Promise<DatabaseProperties["settings"]> {
  const kept = await keptSettings(client, `setdatabase = ${oid}`, encoding);
  const sql = "SELECT oid, rolname::text AS name FROM pg_roles WHERE oid = ANY ($1::oid[])";
  const { rows } = await client.query<{ oid: string; name: string }>(sql, [kept.map(({ role }) => role)]);
  const names = new Map(rows.map((role) => [role.oid, role.name]));
  return kept.map(({ role, name, value }) => {
    const whose = names.get(role);
    return { ...(whose === undefined ? {} : { role: whose }), name, value };
  });
}

/** The server has more encodings than this process, and that of the asking session may lack what is asked. Not in a transaction, either. */
export async function decodeText(client: pg.Client, bytes: Buffer, encoding: string): Promise<string> {
  if (isAscii(bytes) || encoding === "UTF8" || encoding === "SQL_ASCII") return bytes.toString("utf8");
  try {
    const sql = "SELECT convert($1, $2, 'UTF8') AS bytes";
    const { rows } = await client.query<{ bytes: Buffer }>(sql, [bytes, encoding]);
    return (rows[0]?.bytes ?? bytes).toString("utf8");
  } catch (error) {
    if (!NO_TEXT.has(readCode(error))) throw error;
    return bytes.toString("latin1").replaceAll(/[\x80-\xff]/g, "\ufffd");
  }
}

/** Bytes that a text has in that encoding; undefined where it has no such characters. Not in a transaction. */
async function encodeText(client: pg.Client, text: string, encoding: string): Promise<Buffer | undefined> {
  try {
    const sql = "SELECT convert($1, 'UTF8', $2) AS bytes";
    return (await client.query<{ bytes: Buffer }>(sql, [Buffer.from(text), encoding])).rows[0]?.bytes;
  } catch (error) {
    if (!NO_TEXT.has(String((error as { code?: unknown }).code))) throw error;
    return undefined;
  }
}

/**
 * Of roles by the bytes that a database in that encoding has of them: those that are there, and those that are other bytes in the
 * database of the session that asks.
 */
export async function rolesInBytes(client: pg.Client, roles: readonly string[], encoding: string) {
  const here: string[] = [];
  const elsewhere: string[] = [];
  const [own = ""] = await queryNames(client, "SELECT getdatabaseencoding() AS name");
  const raw = "decode(replace(rolname::text, chr(92), repeat(chr(92), 2)), 'escape')";
  for (const role of roles) {
    const bytes = await encodeText(client, role, encoding);
    if ((await client.query(`SELECT FROM pg_roles WHERE ${raw} = $1`, [bytes])).rowCount === 1)
      here.push(role);
    if (bytes === undefined || (await encodeText(client, role, own))?.equals(bytes) !== true)
      elsewhere.push(role);
  }
  return { here, elsewhere };
}

/** No character of the encoding, none of Unicode's, and no way from the one to the other. */
const NO_TEXT: ReadonlySet<string> = new Set(["22021", "22P05", "42883"]);
