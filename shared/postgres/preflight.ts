import type pg from "pg";
import { OMISSION_KINDS, type Omission, type OmissionKind } from "./lacks.ts";
import { lostTexts, type DatabaseProperties, type Settings } from "./properties/database-properties.ts";
import { DormouseError } from "../errors.ts";
import { collationWarnings } from "./properties/collation-version.ts";
import { withSession, type ConnectionSettings } from "./session/connection.ts";
import { findExcluded, type Exclusion } from "./exclusions/excluded-tables.ts";
import { whatNeeds } from "./exclusions/what-needs.ts";
import { neededRoles, ROLES_NAMED } from "./roles/needed-roles.ts";
import type { ServerRole } from "./roles/server-role.ts";
import { partSettings, settingText } from "./properties/refused-settings.ts";
import { readProperties } from "./properties/read-properties.ts";
import { queryNames, standbyWarnings } from "./session/ask-server.ts";
import { damageWarnings, settingsOfDatabase, settingsOfDump } from "./properties/read-settings.ts";

/** Each query answers one row for each object that a dump by this role would lack. */
const LACKS: readonly { readonly kind: OmissionKind; readonly detail: string; readonly sql: string }[] = [
  {
    kind: "large-objects",
    detail: "large objects that the role may not read",
    // has_largeobject_privilege exists from 18 on, so the privilege is worked out for all versions alike.
    sql: `SELECT lo.oid::text AS name FROM pg_largeobject_metadata lo
      WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        AND current_setting('lo_compat_privileges') = 'off'
        AND NOT pg_has_role(lo.lomowner, 'USAGE')
        AND NOT EXISTS (SELECT FROM aclexplode(lo.lomacl) acl WHERE acl.privilege_type = 'SELECT'
          AND (acl.grantee = 0 OR pg_has_role(acl.grantee, 'USAGE')))
      ORDER BY lo.oid LIMIT 100`,
  },
  {
    kind: "row-security",
    detail: "tables of which row security shows this role only a part",
    sql: `SELECT format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND row_security_active(c.oid)
      ORDER BY name`,
  },
  {
    kind: "unreadable-tables",
    detail: "tables and sequences without the right to SELECT, or in schemas without USAGE",
    // Members of an extension are made by CREATE EXTENSION; only its configuration tables are dumped.
    sql: `SELECT format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'S')
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
        AND NOT (has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind
          WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END)
        AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
            AND NOT c.oid = ANY (coalesce(e.extconfig, '{}')))
      ORDER BY name`,
  },
  {
    kind: "unlogged-tables",
    detail: "unlogged tables, which this standby does not hold",
    sql: `SELECT format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE pg_is_in_recovery() AND c.relpersistence = 'u' AND c.relkind = 'r' ORDER BY name`,
  },
  {
    kind: "subscriptions",
    detail: "subscriptions: only a superuser's dump has them, disabled, and no restore makes them",
    sql: `SELECT quote_ident(subname) AS name FROM pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY name`,
  },
  {
    kind: "user-mappings",
    detail: "options of user mappings (often passwords) that the role may not see",
    sql: `SELECT format('%I for %s', srvname, CASE WHEN umuser = 0 THEN 'public' ELSE usename END) AS name
      FROM pg_user_mappings WHERE umoptions IS NULL
        AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) ORDER BY name`,
  },
  {
    kind: "foreign-tables",
    detail: "foreign tables: their rows stay on the foreign server",
    sql: `SELECT format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f' ORDER BY name`,
  },
  {
    kind: "roles",
    detail:
      "roles of the server that own or may use something here: `roles` of the manifest tells what they are",
    sql: ROLES_NAMED,
  },
  {
    kind: "tablespaces",
    detail: "tablespaces of the server that hold something here: pg_dumpall --tablespaces-only has them",
    sql: `SELECT DISTINCT quote_ident(t.spcname) AS name FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
      WHERE t.spcname NOT IN ('pg_default', 'pg_global') ORDER BY name`,
  },
];

/** What the server says of a database before it is dumped. */
export type DatabaseInspection = {
  /** That looked, and will dump. */
  readonly role: string;
  /** `15.18` */
  readonly serverVersion: string;
  readonly serverMajor: number;
  /** pg_database_size: no bound for the dump, TOAST compresses. */
  readonly databaseBytes: number;
  readonly extensions: readonly { readonly name: string; readonly version: string }[];
  readonly lacks: readonly Omission[];
  /** Of the server, as far as this database needs them. */
  readonly roles: readonly ServerRole[];
  /** Whose rows are to be left out. */
  readonly excluded: Exclusion;
  readonly properties: DatabaseProperties;
  /** Under which its values are written, and under which they must be read. */
  readonly settings: Settings;
  /** What the session of pg_dump is begun with. */
  readonly dumpSettings: Settings;
  /** For a person to know. */
  readonly warnings: readonly string[];
};

/**
 * Looks at a database, as the role that will dump it, in one read-only transaction; `excludeTableData` are patterns of tables whose rows
 * the dump leaves out.
 */
export async function inspectDatabase(
  connection: ConnectionSettings,
  database: string,
  signal: AbortSignal,
  excludeTableData: readonly string[] = [],
): Promise<DatabaseInspection> {
  const what = `inspection of database ${JSON.stringify(database)}`;
  return withSession(connection, { database, what }, signal, async (client) => {
    // Before the transaction, which would end where a text cannot be read.
    const roles = await neededRoles(client);
    const properties = await propertiesOf(client, database, roles);
    await client.query("BEGIN READ ONLY");
    const server = await describe(client);
    const lacks = await findLacks(client);
    const excluded = await findExcluded(client, excludeTableData);
    return { ...server, lacks, roles, excluded, ...properties };
  });
}

async function findLacks(client: pg.Client): Promise<readonly Omission[]> {
  const lacks: Omission[] = [];
  for (const { kind, detail, sql } of LACKS) {
    const names = await queryNames(client, sql);
    if (names.length === 0) continue;
    const needing = kind === "unreadable-tables" ? await whatNeeds(client, names) : [];
    const without =
      needing.length === 0
        ? ""
        : ` (a restore fails at what needs them, unless "leaveOut" names it: ${needing.join(", ")})`;
    lacks.push({ kind, data: OMISSION_KINDS[kind].data, names, detail: `${detail}${without}` });
  }
  return lacks;
}

async function propertiesOf(client: pg.Client, database: string, roles: readonly ServerRole[]) {
  const properties = await readProperties(client, database);
  if (properties === undefined)
    throw new DormouseError("database_not_found", `there is no database ${database}`);
  const { taken, refused } = await partSettings(client, properties.settings);
  const settings = await settingsOfDatabase(client, database);
  return {
    // A setting that the server refuses has no effect in any session, and would stop an operator who creates the database by hand.
    properties: { ...properties, settings: taken },
    settings,
    dumpSettings: await settingsOfDump(client, settings, properties.encoding),
    warnings: [
      ...(await collationWarnings(client, properties)),
      ...(await standbyWarnings(client)),
      ...(await damageWarnings(client)),
      ...refused.map(
        (setting) =>
          `the server does not take a setting of the database, and no session has it: ${settingText(setting)}; ALTER DATABASE ... RESET it, or give the server what it names`,
      ),
      ...lostTexts(properties, roles),
    ],
  };
}

async function describe(client: pg.Client) {
  type Row = {
    role: string;
    version: string;
    bytes: string;
    extensions: { name: string; version: string }[];
  };
  const { rows } = await client.query<Row>(`
    SELECT current_user::text AS role, current_setting('server_version') AS version, pg_database_size(current_database()) AS bytes,
      coalesce((SELECT json_agg(json_build_object('name', extname, 'version', extversion) ORDER BY extname)
        FROM pg_extension), '[]') AS extensions`);
  const { role = "", version = "", bytes = "0", extensions = [] } = rows[0] ?? {};
  const serverVersion = version.split(" ")[0] ?? version;
  return {
    role,
    serverVersion,
    serverMajor: Number.parseInt(version, 10),
    databaseBytes: Number(bytes),
    extensions,
  };
}
