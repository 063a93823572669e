import type pg from "pg";
import { keptSettings, type KeptSetting } from "../properties/read-settings.ts";
import { ATTRIBUTES, type ServerRole } from "./server-role.ts";

const THIS = "(SELECT oid FROM pg_database WHERE datname = current_database())";

/** Of initdb, under whatever name. The server pins it: pg_shdepend has nothing of what belongs to it. */
const BOOTSTRAP = 10;
/** Smaller OIDs are of what initdb made. */
const FIRST_OF_USERS = 16_384;
/** The catalogs whose objects have an owner or an ACL, by the columns of those. */
const CATALOGS: readonly (readonly [string, string | undefined, string?])[] = [
  ["pg_class", "relowner", "relacl"],
  ["pg_attribute", undefined, "attacl"],
  ["pg_proc", "proowner", "proacl"],
  ["pg_type", "typowner", "typacl"],
  ["pg_namespace", "nspowner", "nspacl"],
  ["pg_operator", "oprowner"],
  ["pg_opclass", "opcowner"],
  ["pg_opfamily", "opfowner"],
  ["pg_collation", "collowner"],
  ["pg_conversion", "conowner"],
  ["pg_language", "lanowner", "lanacl"],
  ["pg_foreign_data_wrapper", "fdwowner", "fdwacl"],
  ["pg_foreign_server", "srvowner", "srvacl"],
  ["pg_largeobject_metadata", "lomowner", "lomacl"],
  ["pg_ts_config", "cfgowner"],
  ["pg_ts_dict", "dictowner"],
  ["pg_statistic_ext", "stxowner"],
  ["pg_event_trigger", "evtowner"],
  ["pg_publication", "pubowner"],
  ["pg_default_acl", "defaclrole", "defaclacl"],
  ["pg_database", "datdba", "datacl"],
];

/** What CREATE EXTENSION makes belongs to the role that runs it, and no dump says to whom it belonged. */
const ofExtension = (classid: string, objid: string) =>
  `EXISTS (SELECT FROM pg_depend e WHERE e.classid = ${classid} AND e.objid = ${objid} AND e.deptype = 'e')`;

function ofBootstrap([catalog, owner, acl]: (typeof CATALOGS)[number]): string[] {
  const here = catalog === "pg_database" ? `o.oid = ${THIS}` : "true";
  // The schema public is of initdb, too, and is dumped with its owner where that is not the one it has by itself.
  const isPublic =
    catalog === "pg_namespace"
      ? "o.nspname = 'public' AND current_setting('server_version_num')::int >= 150000"
      : "false";
  const owning = `SELECT FROM ${catalog} o WHERE ${here} AND o.${owner} = ${BOOTSTRAP}
    AND (o.oid >= ${FIRST_OF_USERS} OR ${isPublic}) AND NOT ${ofExtension(`'${catalog}'::regclass`, "o.oid")}`;
  const granted = `SELECT FROM ${catalog} o, aclexplode(o.${acl}) item WHERE ${here} AND item.grantee = ${BOOTSTRAP}
    ${owner === undefined ? "" : `AND o.${owner} <> ${BOOTSTRAP}`}`;
  return [...(owner === undefined ? [] : [owning]), ...(acl === undefined ? [] : [granted])];
}

const BOOTSTRAP_HAS = [
  ...CATALOGS.flatMap(ofBootstrap),
  `SELECT FROM pg_policy WHERE ${BOOTSTRAP} = ANY (polroles)`,
  `SELECT FROM pg_user_mappings WHERE umuser = ${BOOTSTRAP}`,
  `SELECT FROM pg_subscription WHERE subowner = ${BOOTSTRAP} AND subdbid = ${THIS}`,
].map((sql) => `EXISTS (${sql})`);

/** Owners, grantees of any kind (also by default privileges), roles of policies and of user mappings, those with settings here. */
const NAMED = `
  SELECT d.refobjid AS oid FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass
    AND (d.dbid = ${THIS} OR d.classid = 'pg_database'::regclass AND d.objid = ${THIS})
    AND d.deptype <> 'i'
    AND NOT (d.deptype = 'o' AND (d.classid = 'pg_extension'::regclass OR ${ofExtension("d.classid", "d.objid")}))
  UNION SELECT setrole FROM pg_db_role_setting WHERE setdatabase = ${THIS} AND setrole <> 0
  UNION SELECT ${BOOTSTRAP} WHERE ${BOOTSTRAP_HAS.join(" OR ")}`;

/** Roles that a dump of the database names; a server without them refuses what is theirs. */
export const ROLES_NAMED = `SELECT quote_ident(rolname) AS name FROM pg_roles WHERE oid IN (${NAMED}) ORDER BY rolname`;

/** And those of which they are members: by them they have rights. */
const NEEDED = `WITH RECURSIVE needed AS (
    SELECT oid FROM (${NAMED}) named
    UNION SELECT m.roleid FROM pg_auth_members m JOIN needed ON m.member = needed.oid)
  SELECT r.rolname AS name, r.rolconnlimit AS "connectionLimit", to_json(r.rolvaliduntil) AS "validUntil",
    r.oid, to_jsonb(r) - 'rolconfig' AS row,
    coalesce((SELECT json_agg(member ORDER BY member ->> 'role') FROM (
      SELECT jsonb_strip_nulls(jsonb_build_object('role', pg_get_userbyid(m.roleid), 'admin', bool_or(m.admin_option),
        'inherit', bool_or((to_jsonb(m) ->> 'inherit_option')::boolean),
        'set', bool_or((to_jsonb(m) ->> 'set_option')::boolean))) AS member
      FROM pg_auth_members m WHERE m.member = r.oid GROUP BY m.roleid) members), '[]') AS "memberOf"
  FROM pg_roles r WHERE r.oid IN (SELECT oid FROM needed) AND r.rolname !~ '^pg_' ORDER BY r.rolname`;

type Row = Pick<ServerRole, "name" | "connectionLimit" | "memberOf"> & {
  readonly oid: string;
  readonly validUntil: string | null;
  readonly row: Readonly<Record<string, unknown>>;
};

/** What the database that is asked needs of the roles of its server, as anybody may see it. Not in a transaction: see `keptSettings`. */
export async function neededRoles(client: pg.Client): Promise<ServerRole[]> {
  const { rows } = await client.query<Row>(NEEDED);
  const settings = await settingsOf(client, rows);
  return rows.map(({ oid, row, validUntil, ...role }) => ({
    ...role,
    settings: settings.filter((each) => each.role === oid).map(({ name, value }) => ({ name, value })),
    attributes: ATTRIBUTES.filter((attribute) => row[COLUMNS[attribute]] === (attribute !== "NOINHERIT")),
    ...(validUntil === null ? {} : { validUntil }),
  }));
}

async function settingsOf(client: pg.Client, roles: readonly Row[]): Promise<readonly KeptSetting[]> {
  if (roles.length === 0) return [];
  const sql =
    "SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = current_database()";
  const { rows } = await client.query<{ encoding: string }>(sql);
  const where = `setdatabase = 0 AND setrole IN (${roles.map(({ oid }) => oid).join(", ")})`;
  return keptSettings(client, where, rows[0]?.encoding ?? "UTF8");
}

const COLUMNS: Readonly<Record<(typeof ATTRIBUTES)[number], string>> = {
  SUPERUSER: "rolsuper",
  CREATEDB: "rolcreatedb",
  CREATEROLE: "rolcreaterole",
  NOINHERIT: "rolinherit",
  LOGIN: "rolcanlogin",
  REPLICATION: "rolreplication",
  BYPASSRLS: "rolbypassrls",
};
