import { isAscii } from "node:buffer";
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import type { TargetFacts, TargetRequest } from "./target-facts.ts";
import { isReadable, type DatabaseProperties } from "./database-properties.ts";
import type { ArchiveNeeds } from "../plain-dump/script-needs.ts";
import { DormouseError } from "../../errors.ts";
import { MAKES_NOTHING } from "../plain-dump/script-makes.ts";
import { planRoles, type PlannedRoles } from "../roles/planned-roles.ts";
import { forbiddenBy } from "./find-forbidden.ts";
import { rolesInBytes } from "./read-settings.ts";
import { settingText } from "./refused-settings.ts";
import { mayNotSet } from "./role-rights.ts";
import { needsOfMade, notedFacts } from "./noted-facts.ts";
import { OF_ONE_DATABASE } from "./one-database.ts";
import { rolesAtWork } from "../session/advisory-lock.ts";
import { PROGRAM } from "../session/connection.ts";
import { refusePooler } from "../session/pooler.ts";
import { queryNames } from "../session/ask-server.ts";

type OfSessions = Pick<TargetFacts, "sessions" | "untouchableSessions">;
type OfOtherSessions = "loadSessions" | "freeConnections" | "refusedBeside";

/** Looks at the database that is to be restored from outside of it, as the role that will restore. */
export async function targetFacts(
  client: pg.Client,
  request: TargetRequest,
): Promise<Omit<TargetFacts, OfOtherSessions>> {
  await refusePooler(client);
  const noted = await notedFacts(client, request);
  const facts = {
    ...(await inOneSnapshot(client, request, noted)),
    ...(await listSessions(client, request.database)),
  };
  const makeable = facts.missing.roles.filter((name) => !facts.unmakeableRoles.includes(name));
  return { ...facts, ...(await planRoles(client, makeable, request.noted?.roles)) };
}

async function inOneSnapshot(
  client: pg.Client,
  request: TargetRequest,
  noted: Awaited<ReturnType<typeof notedFacts>>,
): Promise<Omit<TargetFacts, OfOtherSessions | keyof OfSessions | keyof PlannedRoles>> {
  const { database, target } = request;
  const like = noted.live ?? request.noted?.properties;
  const { needs, ...roles } = await byBytes(client, needsOfMade(request.needs, noted.live, request), like);
  await client.query("BEGIN READ ONLY");
  try {
    const rights = await ownRights(client, database);
    return {
      ...noted,
      ...rights,
      ...(await findHolders(client, database)),
      missing: await findMissing(client, needs, roles.missing),
      unmakeableRoles: roles.unmakeable,
      homes: await homesOf(client),
      ...(await forbiddenTo(client, database, needs)),
      forbiddenSettings: await forbiddenSettings(client, like, noted.refusedSettings, rights.serverMajor),
      targetTaken:
        (await names(client, "SELECT datname::text AS name FROM pg_database WHERE datname = $1", target))
          .length > 0,
      forbidden: await forbiddenBy(client, request.makes ?? MAKES_NOTHING, like?.owner),
      // The database itself shows it, to a role that may connect.
      eventTriggersOfOthers: [],
      undroppable: [],
      missingLanguage: [],
      liveLargeObjects: 0,
      liveObjects: 0,
    };
  } finally {
    await client.query("ROLLBACK").catch(() => undefined);
  }
}

/**
 * A name beyond ASCII is other bytes in another encoding, and the catalog of roles is one for all databases: the load looks for those
 * of its own database. What cannot be read cannot be compared: the load itself finds such a role.
 */
async function byBytes(client: pg.Client, needs: ArchiveNeeds, like: DatabaseProperties | undefined) {
  const roles = needs.roles.filter((name) => isReadable(name) && !isAscii(Buffer.from(name)));
  const { here, elsewhere } = await rolesInBytes(client, roles, like?.encoding ?? "UTF8");
  return {
    needs: { ...needs, roles: needs.roles.filter((name) => isAscii(Buffer.from(name))) },
    missing: roles.filter((name) => !here.includes(name)),
    unmakeable: elsewhere,
  };
}

async function ownRights(client: pg.Client, database: string) {
  type Row = Omit<TargetFacts, "databaseBytes" | "database" | OfOtherSessions | keyof PlannedRoles> & {
    bytes: string | null;
  };
  const { rows } = await client.query<Row>(
    `SELECT r.rolname::text AS role, split_part(current_setting('server_version'), ' ', 1) AS "serverVersion",
       current_setting('server_version_num')::int / 10000 AS "serverMajor", d.oid IS NOT NULL AS exists,
       coalesce(d.datconnlimit = -2, false) AS "isInvalid",
       CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END AS bytes,
       pg_is_in_recovery() AS "isStandby",
       current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') NOT IN ('off', 'local')
         AND NOT EXISTS (SELECT FROM pg_stat_replication) AS "commitsWait", r.rolsuper AS "isSuperuser", r.rolcreatedb AS "canCreateDatabases", r.rolinherit AS inherits,
       CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END AS "roleConnectionLimit",
       coalesce(pg_has_role(d.datdba, 'USAGE'), false) AS "ownsDatabase",
       current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int AS "lockHolders",
       current_setting('max_locks_per_transaction')::int * (current_setting('max_connections')::int
         + current_setting('max_prepared_transactions')::int) AS "lockTableSize"
     FROM pg_roles r LEFT JOIN pg_database d ON d.datname = $1 WHERE r.rolname = current_user`,
    [database],
  );
  const [row] = rows;
  if (row === undefined)
    throw new DormouseError("query_failed", "the server does not know the role that asks");
  const { bytes, ...rights } = row;
  return { ...rights, database, databaseBytes: Number(bytes ?? 0) };
}

/**
 * Other sessions of Dormouse are gone before a restore ends any: those of a run because it has the lock of the database, and
 * those of another function's doctor soon; what bears its name is waited for. In no transaction, which would see the same
 * sessions each time.
 */
async function listSessions(client: pg.Client, database: string): Promise<OfSessions> {
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const { rows } = await client.query<Session>(SESSIONS, [database]);
    const denied = rows.filter(({ touchable }) => !touchable);
    const atWork = denied.some(isOurs) ? await rolesAtWork(client, database) : [];
    const staying = denied.filter((each) => !isOurs(each) || !atWork.includes(each.role));
    if (!staying.some(isOurs) || waitedMs >= PASSED_WITHIN_MS)
      return { sessions: rows.length, untouchableSessions: staying.map(({ name }) => name) };
    await pause(LOOK_EVERY_MS);
  }
}

const isOurs = ({ program }: Session) => program === PROGRAM;

type Session = {
  readonly name: string;
  readonly role: string;
  readonly program: string;
  readonly touchable: boolean;
};

/**
 * pg_terminate_backend: membership in the session's role or pg_signal_backend, and only a superuser for superusers.
 * The kind of a session is hidden from other roles. Autovacuum, which has no role, gives way by itself.
 */
const SESSIONS = `SELECT format('pid %s of %s (%s)', a.pid, a.usename, a.application_name) AS name,
    a.usename::text AS role, a.application_name AS program, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
      OR (NOT r.rolsuper AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))) AS touchable
  FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
  WHERE a.datname = $1 AND a.pid <> pg_backend_pid() AND coalesce(a.backend_type, 'client backend') = 'client backend'
  ORDER BY a.pid`;
const PASSED_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 100;

/** Not the server's own: parallel and autovacuum workers end by themselves, and subscriptions are reported apart. */
const WORKERS = `SELECT format('%s (pid %s)', backend_type, pid) AS name FROM pg_stat_activity
  WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type NOT LIKE 'logical replication %'
    AND backend_type NOT IN ('client backend', 'walsender', 'parallel worker', 'autovacuum worker')`;

async function findHolders(client: pg.Client, database: string) {
  const slots = "SELECT slot_name::text AS name FROM pg_replication_slots WHERE database = $1 AND";
  return {
    backgroundWorkers: await names(client, WORKERS, database),
    preparedTransactions: await names(
      client,
      "SELECT gid AS name FROM pg_prepared_xacts WHERE database = $1",
      database,
    ),
    activeSlots: await names(client, `${slots} active`, database),
    inactiveSlots: await names(client, `${slots} NOT active`, database),
    subscriptions: await names(
      client,
      `SELECT subname::text AS name FROM pg_subscription
       WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = $1)`,
      database,
    ),
  };
}

async function findMissing(
  client: pg.Client,
  needs: ArchiveNeeds,
  roles: readonly string[],
): Promise<ArchiveNeeds> {
  const lacking = (wanted: readonly string[], there: string) =>
    names(client, `SELECT unnest($1::text[]) AS name EXCEPT ${there}`, wanted);
  return {
    roles: [...(await lacking(needs.roles, "SELECT rolname::text FROM pg_roles")), ...roles],
    extensions: await lacking(needs.extensions, "SELECT name::text FROM pg_available_extensions"),
    tablespaces: await lacking(needs.tablespaces, "SELECT spcname::text FROM pg_tablespace"),
  };
}

/** Such a setting is hidden from most roles, and is not there without the library. */
async function homesOf(client: pg.Client): Promise<TargetFacts["homes"]> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)",
    [[...OF_ONE_DATABASE.values()].map(({ setting }) => setting)],
  );
  const found = new Map(rows.map(({ name, setting }) => [name, setting]));
  return Object.fromEntries([...OF_ONE_DATABASE].map(([name, { setting }]) => [name, found.get(setting)]));
}

/** What a superuser alone may do: the whole load would be for nothing if it were found out at its end. */
async function forbiddenTo(client: pg.Client, database: string, { extensions, tablespaces }: ArchiveNeeds) {
  const me = "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)";
  return {
    forbiddenExtensions: await names(
      client,
      `SELECT a.name::text AS name FROM pg_available_extensions a
       JOIN pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
       WHERE a.name = ANY ($1) AND v.superuser AND NOT v.trusted AND NOT ${me}`,
      extensions,
    ),
    forbiddenTablespaces: await names(
      client,
      `SELECT spcname::text AS name FROM pg_tablespace t
       WHERE spcname = ANY ($1) AND NOT has_tablespace_privilege(oid, 'CREATE')
         AND t.oid <> (SELECT dattablespace FROM pg_database WHERE datname IN ($2, 'template0')
           ORDER BY datname = $2 DESC LIMIT 1)`,
      tablespaces,
      database,
    ),
    // Where template0 lies, a new database lies without being asked to.
    tablespaceNotCreatable: await names(
      client,
      `SELECT t.spcname::text AS name FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
       WHERE d.datname = $1 AND NOT has_tablespace_privilege(t.oid, 'CREATE')
         AND d.dattablespace <> (SELECT dattablespace FROM pg_database WHERE datname = 'template0')`,
      database,
    ),
  };
}

async function forbiddenSettings(
  client: pg.Client,
  properties: DatabaseProperties | undefined,
  refused: readonly string[],
  serverMajor: number,
): Promise<string[]> {
  const given = (properties?.settings ?? []).filter((setting) => !refused.includes(settingText(setting)));
  return names(
    client,
    `SELECT coalesce(setting.name || ' of role ' || r.rolname, setting.name) AS name
     FROM json_to_recordset($1) AS setting (role text, name text) LEFT JOIN pg_roles r ON r.rolname = setting.role
       LEFT JOIN pg_settings known ON lower(known.name) = lower(setting.name)
     WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND (${mayNotSet("setting.name", "known", serverMajor)}
         OR r.rolname <> current_user AND NOT ${MAY_ALTER_ROLE})`,
    // Without their values: the asking session may have no such characters.
    JSON.stringify(given.map(({ role, name }) => ({ role, name }))),
  );
}

/** Whether CREATEROLE is enough for role `r`; from 16 on it needs the ADMIN option. */
const MAY_ALTER_ROLE = `((SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user) AND NOT r.rolsuper
  AND (current_setting('server_version_num')::int < 160000 OR pg_has_role(r.oid, 'USAGE WITH ADMIN OPTION')))`;

async function names(
  client: pg.Client,
  sql: string,
  ...values: readonly (string | readonly string[])[]
): Promise<string[]> {
  return queryNames(client, `${sql} ORDER BY name`, values);
}
