import pg from "pg";

const name = pg.escapeIdentifier;
const literal = pg.escapeLiteral;

/** pg_database has other columns in each major; as JSON they can be asked for by name. */
type DatabaseRow = {
  readonly owner: string;
  readonly encoding: string;
  readonly tablespace: string;
  readonly templateTablespace: string;
  /** Whether somebody gave or took a right on it. */
  readonly hasGrants: boolean;
  readonly row: Readonly<Record<string, string | number | boolean | null>>;
};

/**
 * Creates `created` from template0 with owner, encoding, locale and tablespace of `like`; with the server's defaults
 * where there is none. template1 may hold objects, which would clash with those of a dump. Where somebody decided who may
 * connect to `like`, only its owner may connect to the new one until it has the same grants: a load takes its time.
 */
export async function createLike(client: pg.Client, created: string, like: string): Promise<void> {
  const { rows } = await client.query<DatabaseRow>(
    `SELECT pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding, t.spcname AS tablespace,
       d.datacl IS NOT NULL AS "hasGrants",
       (SELECT spcname FROM pg_tablespace JOIN pg_database template ON pg_tablespace.oid = template.dattablespace
         WHERE template.datname = 'template0') AS "templateTablespace", to_jsonb(d) AS row
     FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1`,
    [like],
  );
  const options = rows[0] === undefined ? "" : creationOptions(rows[0]);
  await client.query(`CREATE DATABASE ${name(created)} TEMPLATE template0${options}`);
  if (rows[0]?.hasGrants === true) await client.query(`REVOKE ALL ON DATABASE ${name(created)} FROM PUBLIC`);
}

function creationOptions(given: DatabaseRow): string {
  const { owner, encoding, tablespace, templateTablespace, row } = given;
  const text = (key: string) => (row[key] === null || row[key] === undefined ? undefined : String(row[key]));
  const provider = { i: "icu", b: "builtin" }[text("datlocprovider") ?? "c"];
  const locale = text("datlocale") ?? text("daticulocale");
  const rules = text("daticurules");
  const options = [
    `OWNER ${name(owner)}`,
    `ENCODING ${literal(encoding)}`,
    `LC_COLLATE ${literal(text("datcollate") ?? "C")}`,
    `LC_CTYPE ${literal(text("datctype") ?? "C")}`,
    // Named, even the one that it would have anyway asks for the right to create in it.
    ...(tablespace === templateTablespace ? [] : [`TABLESPACE ${name(tablespace)}`]),
    ...(provider === undefined ? [] : [`LOCALE_PROVIDER ${provider}`]),
    ...(provider === undefined || locale === undefined
      ? []
      : [`${provider.toUpperCase()}_LOCALE ${literal(locale)}`]),
    ...(rules === undefined ? [] : [`ICU_RULES ${literal(rules)}`]),
  ];
  return ` ${options.join(" ")}`;
}

/**
 * Gives `to` what a new database has not: the grants, settings (also of roles in the database), connection limit,
 * comment, security labels of `from`, and whether it is a template. A missing `from` leaves the defaults.
 */
export async function copyProperties(client: pg.Client, from: string, to: string): Promise<void> {
  const statements = [
    ...(await grants(client, from, to)),
    ...(await settings(client, from, to)),
    ...(await remarks(client, from, to)),
  ];
  await client.query("BEGIN");
  try {
    for (const statement of statements) await client.query(statement);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** A database without an ACL has the default one, as has the new one; one with an empty ACL lets nobody do anything. */
async function grants(client: pg.Client, from: string, to: string): Promise<string[]> {
  type Grant = { grantee: string | null; privilege: string | null; grantable: boolean; owner: string };
  const { rows } = await client.query<Grant>(
    `SELECT CASE acl.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(acl.grantee) END AS grantee,
       acl.privilege_type AS privilege, acl.is_grantable AS grantable, pg_get_userbyid(d.datdba) AS owner
     FROM pg_database d LEFT JOIN LATERAL aclexplode(d.datacl) acl ON true
     WHERE d.datname = $1 AND d.datacl IS NOT NULL`,
    [from],
  );
  if (rows[0] === undefined) return [];
  const on = `ON DATABASE ${name(to)}`;
  return [
    `REVOKE ALL ${on} FROM PUBLIC`,
    `REVOKE ALL ${on} FROM ${name(rows[0].owner)}`,
    ...rows.flatMap(({ grantee, privilege, grantable }) => {
      const whom = grantee === null ? "PUBLIC" : name(grantee);
      const option = grantable ? " WITH GRANT OPTION" : "";
      return privilege === null ? [] : [`GRANT ${privilege} ${on} TO ${whom}${option}`];
    }),
  ];
}

async function settings(client: pg.Client, from: string, to: string): Promise<string[]> {
  const { rows } = await client.query<{ role: string | null; setting: string }>(
    `SELECT r.rolname AS role, unnest(s.setconfig) AS setting
     FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
     WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = $1)`,
    [from],
  );
  return rows.map(({ role, setting }) => {
    const whose = role === null ? `DATABASE ${name(to)}` : `ROLE ${name(role)} IN DATABASE ${name(to)}`;
    return `ALTER ${whose} SET ${assignment(setting)}`;
  });
}

/** Lists whose elements the server keeps quoted (GUC_LIST_QUOTE): as one literal they would become one element. */
const QUOTED_LISTS = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "shared_preload_libraries",
  "temp_tablespaces",
  "unix_socket_directories",
]);

/** `name=value` of setconfig as SQL. */
function assignment(setting: string): string {
  const key = setting.slice(0, setting.indexOf("="));
  const value = setting.slice(key.length + 1);
  const elements = QUOTED_LISTS.has(key) ? listElements(value) : [value];
  const values = elements.length === 0 ? [""] : elements;
  const parameter = key.split(".").map(name).join(".");
  return `${parameter} TO ${values.map(literal).join(", ")}`;
}

function listElements(list: string): string[] {
  return [...list.matchAll(/"(?:[^"]|"")*"|[^,\s][^,]*/g)].map(([element]) =>
    element.startsWith('"') ? element.slice(1, -1).replaceAll('""', '"') : element.trim(),
  );
}

async function remarks(client: pg.Client, from: string, to: string): Promise<string[]> {
  type Row = {
    comment: string | null;
    connection_limit: number;
    is_template: boolean;
    labels: { provider: string; label: string }[];
  };
  const { rows } = await client.query<Row>(
    `SELECT shobj_description(d.oid, 'pg_database') AS comment, d.datconnlimit AS connection_limit,
       d.datistemplate AS is_template,
       coalesce((SELECT json_agg(json_build_object('provider', provider, 'label', label)) FROM pg_shseclabel
         WHERE objoid = d.oid AND classoid = 'pg_database'::regclass), '[]') AS labels
     FROM pg_database d WHERE d.datname = $1`,
    [from],
  );
  const [row] = rows;
  if (row === undefined) return [];
  const { comment, connection_limit: limit, is_template: isTemplate, labels } = row;
  return [
    ...(comment === null ? [] : [`COMMENT ON DATABASE ${name(to)} IS ${literal(comment)}`]),
    ...(limit < 0 ? [] : [`ALTER DATABASE ${name(to)} CONNECTION LIMIT ${limit}`]),
    ...(isTemplate ? [`ALTER DATABASE ${name(to)} IS_TEMPLATE true`] : []),
    ...labels.map(
      ({ provider, label }) =>
        `SECURITY LABEL FOR ${name(provider)} ON DATABASE ${name(to)} IS ${literal(label)}`,
    ),
  ];
}
