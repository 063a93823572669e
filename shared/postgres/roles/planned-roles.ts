import type pg from "pg";
import { queryNames } from "../session/ask-server.ts";
import { impossible } from "../properties/given-settings.ts";
import { isReadable } from "../properties/database-properties.ts";
import { mayNotSet } from "../properties/role-rights.ts";
import { grantedFirst, roleSettingsSql, roleSql } from "./role-sql.ts";
import { isPredefined, plainRole, type ServerRole } from "./server-role.ts";

/** A role that is not there, and how the role that restores can make it. */
export type PlannedRole = {
  readonly name: string;
  readonly sql: readonly string[];
  /** The settings that only a session in the database itself gives as they were. */
  readonly inside: readonly string[];
  /** What it had and is not given: this role may not, or the server cannot. */
  readonly withheld: readonly string[];
};

export type PlannedRoles = { readonly mayCreateRoles: boolean; readonly rolesToMake: readonly PlannedRole[] };

/** The missing roles, and those missing ones of which they are members, as far as `noted` describes them. */
export async function planRoles(
  client: pg.Client,
  missing: readonly string[],
  noted: readonly ServerRole[] = [],
): Promise<PlannedRoles> {
  const mine = await ownRights(client);
  const mayCreateRoles = mine.superuser || mine.createRole;
  const roles = await absentOf(client, missing, noted);
  if (roles.length === 0) return { mayCreateRoles, rolesToMake: [] };
  const made = new Set(roles.map(({ name }) => name));
  const grantable = new Set(await grantableRoles(client, roles));
  const settings = await givableSettings(client, roles, mine.version);
  const rolesToMake = grantedFirst(roles).map((role) => {
    const given = {
      attributes: role.attributes.filter((attribute) => mayGive(mine, attribute)),
      memberOf: role.memberOf.filter(({ role: granted }) => made.has(granted) || grantable.has(granted)),
      settings: role.settings.filter((setting) => settings(setting)),
    };
    const planned = { ...role, ...given };
    return {
      name: role.name,
      sql: roleSql(planned),
      inside: roleSettingsSql(planned),
      withheld: listWithheld(role, given),
    };
  });
  return { mayCreateRoles, rolesToMake };
}

type Rights = {
  readonly superuser: boolean;
  readonly createRole: boolean;
  readonly createDatabase: boolean;
  readonly replication: boolean;
  readonly bypassRowSecurity: boolean;
  readonly version: number;
};

async function ownRights(client: pg.Client): Promise<Rights> {
  const { rows } = await client.query<Rights>(
    `SELECT rolsuper AS superuser, rolcreaterole AS "createRole", rolcreatedb AS "createDatabase",
       rolreplication AS replication, rolbypassrls AS "bypassRowSecurity",
       current_setting('server_version_num')::int / 10000 AS version
     FROM pg_roles WHERE rolname = current_user`,
  );
  const none = { superuser: false, createRole: false, createDatabase: false, replication: false };
  return rows[0] ?? { ...none, bypassRowSecurity: false, version: 0 };
}

/** https://www.postgresql.org/docs/current/sql-createrole.html: from 16 on, who may create roles gives only what it has. */
function mayGive(mine: Rights, attribute: string): boolean {
  if (mine.superuser) return true;
  switch (attribute) {
    case "SUPERUSER":
      return false;
    case "CREATEDB":
      return mine.version < 16 || mine.createDatabase;
    case "REPLICATION":
      return mine.version >= 16 && mine.replication;
    case "BYPASSRLS":
      return mine.version >= 16 && mine.bypassRowSecurity;
    default:
      return true;
  }
}

async function absentOf(
  client: pg.Client,
  missing: readonly string[],
  noted: readonly ServerRole[],
): Promise<ServerRole[]> {
  const known = new Map(noted.map((role) => [role.name, role]));
  const wanted = new Map<string, ServerRole>();
  const want = (name: string) => {
    if (wanted.has(name) || isPredefined(name) || !isReadable(name)) return;
    const role = known.get(name) ?? plainRole(name);
    wanted.set(name, role);
    for (const { role: granted } of role.memberOf) want(granted);
  };
  for (const name of missing) want(name);
  const sql = "SELECT rolname::text AS name FROM pg_roles WHERE rolname = ANY ($1)";
  const there = await queryNames(client, sql, [[...wanted.keys()]]);
  return [...wanted.values()].filter(({ name }) => !there.includes(name));
}

/** Those that are there and that this role may give; not what it is a member of itself, in which the new role would go round. */
async function grantableRoles(client: pg.Client, roles: readonly ServerRole[]): Promise<string[]> {
  return queryNames(
    client,
    `SELECT g.rolname::text AS name FROM pg_roles g, pg_roles me
     WHERE me.rolname = current_user AND g.rolname = ANY ($1)
       AND (me.rolsuper OR NOT g.rolsuper AND NOT pg_has_role(g.oid, me.oid, 'MEMBER')
         AND CASE WHEN current_setting('server_version_num')::int < 160000 THEN me.rolcreaterole
           ELSE pg_has_role(g.oid, 'USAGE WITH ADMIN OPTION') END)`,
    [roles.flatMap(({ memberOf }) => memberOf.map(({ role }) => role))],
  );
}

type Setting = ServerRole["settings"][number];

/** Whether this server knows a setting and this role may give it to another. */
async function givableSettings(
  client: pg.Client,
  roles: readonly ServerRole[],
  serverMajor: number,
): Promise<(setting: Setting) => boolean> {
  const all = roles.flatMap(({ settings }) => settings);
  const names = await queryNames(
    client,
    `SELECT given.name FROM unnest($1::text[]) AS given (name) LEFT JOIN pg_settings known
         ON lower(known.name) = lower(given.name)
     WHERE (known.name IS NOT NULL OR given.name LIKE '%.%')
       AND ((SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
         OR NOT ${mayNotSet("given.name", "known", serverMajor)})`,
    [all.map(({ name }) => name)],
  );
  const refused = new Set<string>();
  for (const { name, value } of all)
    for (const each of await impossible(client, { [name]: value })) refused.add(each);
  return ({ name, value }) => names.includes(name) && !refused.has(`${name} = ${value}`);
}

function listWithheld(role: ServerRole, given: Pick<ServerRole, "attributes" | "memberOf" | "settings">) {
  const without = <Value>(all: readonly Value[], some: readonly Value[]) =>
    all.filter((each) => !some.includes(each));
  return [
    ...without(role.attributes, given.attributes),
    ...without(role.memberOf, given.memberOf).map(({ role: granted }) => `membership in ${granted}`),
    ...without(role.settings, given.settings).map(({ name }) => `setting ${name}`),
  ];
}
