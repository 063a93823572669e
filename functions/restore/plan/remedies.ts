import { identifier, literal } from "../../../shared/postgres/sql-text.ts";
import { isPredefined } from "../../../shared/postgres/roles/server-role.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";

/** What to do about a blocker, by what the server said and by what stands in the way. */
type Remedy = (facts: TargetFacts, names: readonly string[]) => string;

/** Of a restore besides those that load: the lock, a look at the progress, and what other functions of this role have. */
export const SESSIONS_BESIDE = 4;

/** An archive is a program: a role that can do little does little harm with a bad one. */
export const RESTORE_ROLE =
  "use a role with CREATEDB that is a member of the database's owner, as docs/roles.md makes it";

/** SQL that can be pasted as it stands: it names the role, the database and each object. */
export const BY_SQL = {
  letCreate: ({ role }) => `ALTER ROLE ${identifier(role)} CREATEDB, or use the strategy in-place`,
  letIn: ({ role, database }) =>
    `let a line of pg_hba.conf have "all" for its databases, or from 16 on ${JSON.stringify(`/^${database}(__(restore|scratch)_.*)?$`)}, for the role ${role}, then SELECT pg_reload_conf(); or use the strategy in-place`,
  letOwn: (facts) => {
    const { role, database, live } = facts;
    const owning = `ALTER DATABASE ${identifier(database)} OWNER TO ${identifier(role)}`;
    return live === undefined ? owning : `${letStandFor(facts, [live.owner])}, or ${owning}`;
  },
  dropInvalid: ({ database }) =>
    `DROP DATABASE ${identifier(database)}: nothing else is possible with it; the strategy swap then makes it anew`,
  endPrepared: ({ database }, names) =>
    `in ${identifier(database)}, after a look at pg_prepared_xacts: ${each(names, (name) => `ROLLBACK PREPARED ${literal(name)}`)} (or COMMIT PREPARED)`,
  letEndSessions: ({ role, database }) =>
    `GRANT pg_signal_backend TO ${identifier(role)}; those of a superuser only a superuser ends: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${literal(database)} AND pid <> pg_backend_pid()`,
  dropSlots: (_, names) =>
    `stop what reads them, or drop them as well: ${each(names, (name) => `SELECT pg_drop_replication_slot(${literal(name)})`)}`,
  dropSubscriptions: ({ database }, names) =>
    `in ${identifier(database)}: ${each(names.map(identifier), (name) => `ALTER SUBSCRIPTION ${name} DISABLE; ALTER SUBSCRIPTION ${name} SET (slot_name = NONE); DROP SUBSCRIPTION ${name}`)}`,
  createRoles: ({ role, database, mayCreateRoles, rolesToMake, unmakeableRoles }, names) => {
    if (names.every(isPredefined)) return "restore to a server of a newer major, which has them by itself";
    const inside = names.filter((name) => unmakeableRoles.includes(name));
    if (inside.length > 0)
      return `from a session in ${identifier(database)}, or in another database of its encoding, in which the name is these bytes: ${each(inside, (name) => `CREATE ROLE ${identifier(name)} NOLOGIN`)}`;
    const first = mayCreateRoles ? "" : `ALTER ROLE ${identifier(role)} CREATEROLE, and then `;
    return `${rolesToMake.flatMap(({ sql, inside }) => [...sql, ...inside]).join("; ")}; or ${first}send "createRoles": true`;
  },
  becomeOwner: (facts, names) => `${letStandFor(facts, names)}, or restore as a superuser`,
  standForOwners: (facts) =>
    `${letStandFor(facts, facts.forbidden.roles)}, restore as a superuser, or send "owner": "current", by which all belongs to ${identifier(facts.role)}`,
  letDrop: ({ database, live, role }, names) => {
    const isPublic = (name: string) => name.startsWith("SCHEMA public of ");
    const owner = identifier(live?.owner ?? role);
    const ways = [
      ...(names.some(isPublic) ? [`in ${identifier(database)}: ALTER SCHEMA public OWNER TO ${owner}`] : []),
      ...(names.every(isPublic) ? [] : ["GRANT each of these roles to the role that restores"]),
    ];
    return `${ways.join("; ")}; or restore as a superuser, or use the strategy swap`;
  },
  letUseLanguage: ({ role, database }, names) =>
    `in ${identifier(database)}: ${each(names, (name) => `CREATE EXTENSION IF NOT EXISTS ${name}; GRANT USAGE ON LANGUAGE ${name} TO ${identifier(role)}`)}; or use the strategy swap`,
  letConnect: ({ role, loadSessions }) =>
    `ALTER ROLE ${identifier(role)} CONNECTION LIMIT ${loadSessions + SESSIONS_BESIDE}, or lower RESTORE_JOBS, which is ${loadSessions}`,
  freeConnections: ({ loadSessions }) =>
    `wait for the dumps and restores of other databases, lower RESTORE_JOBS below the ${loadSessions} sessions of this load, or raise max_connections`,
  createTablespaces: (_, names) =>
    each(names, (name) => `CREATE TABLESPACE ${identifier(name)} LOCATION '/a/folder/of/the/server'`),
  useTablespaces: (facts, names) => `${useTablespaces(facts, names)}, or restore as a superuser`,
  useTablespaceOrStay: (facts, names) => `${useTablespaces(facts, names)}, or use the strategy in-place`,
} satisfies Readonly<Record<string, Remedy>>;

/** From 16 on each membership says by itself whether it lets a role act for another and become it. */
function letStandFor({ role, serverMajor, inherits }: TargetFacts, names: readonly string[]): string {
  const member = identifier(role);
  const by = serverMajor < 16 ? "" : " WITH INHERIT TRUE, SET TRUE";
  const grants = each(names, (name) => `GRANT ${identifier(name)} TO ${member}${by}`);
  return serverMajor < 16 && !inherits ? `${grants}; ALTER ROLE ${member} INHERIT` : grants;
}

function useTablespaces({ role }: TargetFacts, names: readonly string[]): string {
  return each(names, (name) => `GRANT CREATE ON TABLESPACE ${identifier(name)} TO ${identifier(role)}`);
}

function each(names: readonly string[], sql: (name: string) => string): string {
  return names.map(sql).join("; ");
}
