import pg from "pg";
import type { DatabaseProperties, Settings } from "./database-properties.ts";

/** Its value lies in a database: only a session in there can tell whether it is there. */
export const TEXT_SEARCH = "default_text_search_config";

/** ALTER DATABASE takes them whether or not there is what they name. */
const UNCHECKED: ReadonlySet<string> = new Set([
  TEXT_SEARCH,
  "default_table_access_method",
  "default_tablespace",
  "role",
  "session_authorization",
  "temp_tablespaces",
]);
const INSUFFICIENT_PRIVILEGE = "42501";
/** Syntax and rights, and values: what is of the setting, and not of the connection. */
const OF_A_SETTING = /^(?:22|42|55|0A)/;
/** Of the session that asks, whose database may have another encoding: it says nothing of the setting. */
const NO_SUCH_CHARACTER = "22P05";

/** Names with a dot are taken by every server, and are whatever the extension behind them makes of them. */
export async function findRefused(client: pg.Client, settings: Settings): Promise<string[]> {
  const refused: string[] = [];
  for (const [name, value] of Object.entries(settings))
    if (!name.includes(".") && (await refusal(client, name, value)) !== undefined) refused.push(name);
  return refused;
}

/** By which code the server refuses a setting to a session, outside of a transaction: nothing of it stays. */
export async function refusal(client: pg.Client, name: string, value: string): Promise<string | undefined> {
  try {
    await client.query("SELECT set_config($1, $2, true)", [name, value]);
    return undefined;
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? (error.code ?? "") : "";
    if (code === NO_SUCH_CHARACTER) return undefined;
    if (OF_A_SETTING.test(code)) return code;
    throw error;
  }
}

type DatabaseSettings = DatabaseProperties["settings"];

/**
 * Settings of a database, and of roles in it, parted by whether the server takes them. Sessions begin without the others: a
 * new release has fewer settings, a new image fewer locales and time zones.
 */
export async function partSettings(
  client: pg.Client,
  settings: DatabaseSettings,
): Promise<{ readonly taken: DatabaseSettings; readonly refused: DatabaseSettings }> {
  const { rows } = await client.query<{ name: string; context: string }>(
    "SELECT lower(name) AS name, context FROM pg_settings WHERE lower(name) = ANY ($1)",
    [settings.map(({ name }) => name.toLowerCase())],
  );
  const contexts = new Map(rows.map(({ name, context }) => [name, context]));
  const isTaken = async ({ name, value }: DatabaseSettings[number]) => {
    if (UNCHECKED.has(name) || name.includes(".")) return true;
    const context = contexts.get(name.toLowerCase());
    if (context !== "user" && context !== "superuser") return context !== undefined;
    return [undefined, INSUFFICIENT_PRIVILEGE].includes(await refusal(client, name, value));
  };
  const [taken, refused]: [DatabaseSettings, DatabaseSettings] = [[], []];
  for (const setting of settings) ((await isTaken(setting)) ? taken : refused).push(setting);
  return { taken, refused };
}

export function settingText({ name, value, role }: DatabaseSettings[number]): string {
  return `${name} = ${value}${role === undefined ? "" : ` of role ${role}`}`;
}
