import { asDormouseError, type ErrorCode } from "../../errors.ts";
import type { DatabaseChoice } from "../../config/database-choice.ts";
import { withSession, type ConnectionSettings } from "../session/connection.ts";

/** What providers of PostgreSQL keep for themselves, and let no role dump. */
const OF_PROVIDERS = new Set(["rdsadmin", "cloudsqladmin", "azure_maintenance"]);
/** As restores name what they load and what they keep. */
const OF_RESTORES = /__(?:restore|before|scratch)_[0-9a-f]{12}$/;
/** initdb makes it, for sessions that want no database in particular. */
const DEFAULT_DATABASE = "postgres";

/** Databases of the server: `wanted` are those that are to be backed up, `existing` all that there are. */
export type ListedDatabases = { readonly wanted: readonly string[]; readonly existing: ReadonlySet<string> };

/**
 * The databases of a choice, as the server has them now. A pattern finds those that take connections and are no templates,
 * and `known` ones that take none at this moment, as a restore closes its database; the others must be named.
 */
export async function listDatabases(
  settings: ConnectionSettings,
  choice: DatabaseChoice,
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ListedDatabases> {
  const found = await findDatabases(settings, signal);
  const byPattern: string[] = [];
  for (const { name, isOpen, isTemplate } of found) {
    if (!choice.includes(name) || isTemplate || !(isOpen || known.has(name))) continue;
    if (OF_PROVIDERS.has(name) || OF_RESTORES.test(name)) continue;
    if (name !== DEFAULT_DATABASE || (await holdsAnything(settings, name, signal))) byPattern.push(name);
  }
  const wanted = [...new Set([...choice.named, ...byPattern])].toSorted();
  return { wanted, existing: new Set(found.map(({ name }) => name)) };
}

type FoundDatabase = { readonly name: string; readonly isOpen: boolean; readonly isTemplate: boolean };

async function findDatabases(
  settings: ConnectionSettings,
  signal: AbortSignal,
): Promise<readonly FoundDatabase[]> {
  const given = { database: settings.maintenanceDatabase, what: "list of databases" };
  // What an interrupted DROP DATABASE leaves takes no connections, whatever else it says.
  const sql = `SELECT datname AS name, datallowconn AND datconnlimit <> -2 AS "isOpen", datistemplate AS "isTemplate" FROM pg_database`;
  return withSession(
    settings,
    given,
    signal,
    async (client) => (await client.query<FoundDatabase>(sql)).rows,
  );
}

/** The names of all, with those that no pattern finds. */
export async function namesOfDatabases(
  settings: ConnectionSettings,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  return new Set((await findDatabases(settings, signal)).map(({ name }) => name));
}

/** Objects of initdb have lower numbers (FirstNormalObjectId); those of an extension come with it. */
const ANYTHING = ["pg_class", "pg_proc", "pg_namespace", "pg_type"]
  .map(
    (catalog) => `EXISTS (SELECT FROM ${catalog} c WHERE c.oid >= 16384 AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = c.oid AND d.deptype = 'e'))`,
  )
  .join(" OR ");

/** One that cannot be looked into is wanted: its own run says why it cannot be dumped. */
async function holdsAnything(
  settings: ConnectionSettings,
  database: string,
  signal: AbortSignal,
): Promise<boolean> {
  const sql = `SELECT ${ANYTHING} OR EXISTS (SELECT FROM pg_largeobject_metadata) AS "isUsed"`;
  try {
    const given = { database, what: `look into database ${JSON.stringify(database)}` };
    return await withSession(settings, given, signal, async (client) => {
      const { rows } = await client.query<{ isUsed: boolean }>(sql);
      return rows[0]?.isUsed === true;
    });
  } catch (error) {
    signal.throwIfAborted();
    if (REFUSALS.has(asDormouseError(error).code)) return true;
    throw error;
  }
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set(["permission_denied", "connection_refused"]);
