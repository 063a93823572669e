import { isAscii } from "node:buffer";
import { assignment } from "../properties/database-sql.ts";
import { isText } from "../properties/database-properties.ts";
import { identifier, literal } from "../sql-text.ts";
import { ATTRIBUTES, isPredefined, type ServerRole } from "./server-role.ts";

/** Each behind those of which it is a member. */
export function grantedFirst(roles: readonly ServerRole[]): ServerRole[] {
  const known = new Map(roles.map((role) => [role.name, role]));
  const ordered = new Set<ServerRole>();
  const visited = new Set<string>();
  const visit = (role: ServerRole | undefined) => {
    if (role === undefined || visited.has(role.name)) return;
    visited.add(role.name);
    for (const { role: granted } of role.memberOf) visit(known.get(granted));
    ordered.add(role);
  };
  for (const role of roles) visit(role);
  return [...ordered];
}

/** Creates a role that is not there: NOLOGIN, until an operator lets it in with a password of its own. */
export function roleSql(role: ServerRole): string[] {
  const name = identifier(role.name);
  const attributes = ATTRIBUTES.filter((each) => each !== "LOGIN" && role.attributes.includes(each));
  const options = [
    "NOLOGIN",
    ...attributes,
    ...(role.connectionLimit < 0 ? [] : [`CONNECTION LIMIT ${role.connectionLimit}`]),
    ...(role.validUntil === undefined ? [] : [`VALID UNTIL ${literal(role.validUntil)}`]),
  ];
  return [
    `CREATE ROLE ${name} ${options.join(" ")}`,
    ...role.memberOf.map((membership) => grantSql(role, membership)),
    ...settingsSql(role, isEverywhere),
  ];
}

/** Its settings that are another text in another encoding: for a session in the database that has that of their values. */
export function roleSettingsSql(role: ServerRole): string[] {
  return settingsSql(role, (setting) => !isEverywhere(setting));
}

type Setting = ServerRole["settings"][number];

function isEverywhere({ name, value }: Setting): boolean {
  return isAscii(Buffer.from(name + value));
}

function settingsSql({ name, settings }: ServerRole, isWanted: (setting: Setting) => boolean): string[] {
  return settings
    .filter((setting) => isText(setting) && isWanted(setting))
    .map((setting) => `ALTER ROLE ${identifier(name)} SET ${assignment(setting)}`);
}

/** Servers before 16 have one option: the others are named only where they differ from what the member inherits by itself. */
function grantSql(
  { name, attributes }: ServerRole,
  { role, admin, inherit, set }: ServerRole["memberOf"][number],
): string {
  const inherits = !attributes.includes("NOINHERIT");
  const options = [
    ...(admin ? ["ADMIN OPTION"] : []),
    ...(inherit === undefined || inherit === inherits ? [] : [`INHERIT ${inherit}`]),
    ...(set === false ? ["SET FALSE"] : []),
  ];
  const given = options.length === 0 ? "" : ` WITH ${options.join(", ")}`;
  return `GRANT ${identifier(role)} TO ${identifier(name)}${given}`;
}

/** One statement, for a psql: makes those of them that are not there, and changes none that is. */
export function missingRolesSql(roles: readonly ServerRole[]): string | undefined {
  const made = grantedFirst(roles).filter(({ name }) => !isPredefined(name));
  if (made.length === 0) return undefined;
  const blocks = made.map(
    (role) =>
      `IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role.name)}) THEN ${[...roleSql(role), ...roleSettingsSql(role)].join("; ")}; END IF;`,
  );
  const body = `BEGIN ${blocks.join(" ")} END`;
  return `DO ${quoted(body)}`;
}

/** Between dollars it stays legible. */
function quoted(body: string): string {
  return body.includes("$roles$") ? literal(body) : `$roles$${body}$roles$`;
}
