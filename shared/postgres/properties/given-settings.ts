import type pg from "pg";
import { queryNames } from "../session/ask-server.ts";
import type { DatabaseProperties, Settings } from "./database-properties.ts";
import { available, settingsOfDatabase } from "./read-settings.ts";
import { findRefused, TEXT_SEARCH } from "./refused-settings.ts";
import { mayNotSet } from "./role-rights.ts";
import { carried, OF_LOADS, OF_TOOLS } from "./session-settings.ts";

/** What a manifest notes of its database. */
export type NotedSettings = {
  readonly settings?: Settings | undefined;
  readonly properties?: DatabaseProperties | undefined;
};

/**
 * What a load of a backup of `database` works under: the settings that the dump was written under, or, where the manifest does not have
 * them, those of the database that is there. A configuration for text search that only the backup holds is none yet when
 * a session begins: the database's own setting names it.
 */
export async function settingsOfLoad(
  client: pg.Client,
  database: string,
  noted: NotedSettings = {},
): Promise<Settings> {
  const own = await allowed(client, await settingsOf(client, database, noted));
  const refused = new Set(await findRefused(client, own));
  const taken = Object.fromEntries(Object.entries(own).filter(([name]) => !refused.has(name)));
  const tools = await available(client, { ...OF_TOOLS, ...OF_LOADS });
  return { ...carried(taken, await encodingOf(client, database, noted)), ...tools };
}

/** Those that the sessions of a load cannot be given: they have them only as far as the database has. */
export async function uncarried(
  client: pg.Client,
  database: string,
  noted: NotedSettings = {},
): Promise<string[]> {
  const own = await settingsOf(client, database, noted);
  const given = carried(own, await encodingOf(client, database, noted));
  const search = own[TEXT_SEARCH];
  const unknown = await findRefused(client, search === undefined ? {} : { [TEXT_SEARCH]: search });
  return Object.keys(own).filter((name) => !(name in given) || unknown.includes(name));
}

async function settingsOf(client: pg.Client, database: string, noted: NotedSettings): Promise<Settings> {
  return noted.settings ?? (await settingsOfDatabase(client, database));
}

/** A database is loaded as the live one is, and without one as its backup notes it. */
async function encodingOf(
  client: pg.Client,
  database: string,
  { properties }: NotedSettings,
): Promise<string | undefined> {
  const sql = "SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = $1";
  const { rows } = await client.query<{ encoding: string }>(sql, [database]);
  return rows[0]?.encoding ?? properties?.encoding;
}

/** A session that asks for one that its role may not set is not let in. What no library has defined any role may set. */
async function allowed(client: pg.Client, settings: Settings): Promise<Settings> {
  const version = "SELECT current_setting('server_version_num')::int / 10000 AS major";
  const major = (await client.query<{ major: number }>(version)).rows[0]?.major ?? 0;
  const forbidden = await queryNames(
    client,
    `SELECT each AS name FROM unnest($1::text[]) each JOIN pg_roles r ON r.rolname = current_user
       JOIN pg_settings s ON lower(s.name) = lower(each)
     WHERE NOT r.rolsuper AND ${mayNotSet("each", "s", major)}`,
    [Object.keys(settings)],
  );
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !forbidden.includes(name)));
}

/** Those that this server cannot take, as one without the locale: a session that reads the dump without them gets other values. */
export async function impossible(client: pg.Client, settings: Settings): Promise<string[]> {
  const refused = await findRefused(client, await available(client, settings));
  return refused.filter((name) => name !== TEXT_SEARCH).map((name) => `${name} = ${settings[name]}`);
}
