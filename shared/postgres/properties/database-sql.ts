import { isItsText, isText, type DatabaseProperties } from "./database-properties.ts";
import { identifier, literal, unquote } from "../sql-text.ts";

/**
 * Makes an empty database with these properties. template1 may hold objects, which would clash with those of a dump. Named,
 * even the tablespace that it would have anyway (`home`, where template0 lies) asks for the right to create in it.
 */
export function creationSql(database: string, properties: DatabaseProperties, home: string): string {
  const { owner, encoding, localeProvider, collate, ctype, locale, icuRules, tablespace } = properties;
  const isLibc = localeProvider === "libc";
  const options = [
    `OWNER ${identifier(owner)}`,
    `ENCODING ${literal(encoding)}`,
    `LC_COLLATE ${literal(collate)}`,
    `LC_CTYPE ${literal(ctype)}`,
    ...(tablespace === home ? [] : [`TABLESPACE ${identifier(tablespace)}`]),
    ...(isLibc ? [] : [`LOCALE_PROVIDER ${localeProvider}`]),
    ...(isLibc || locale === undefined ? [] : [`${localeProvider.toUpperCase()}_LOCALE ${literal(locale)}`]),
    ...(icuRules === undefined ? [] : [`ICU_RULES ${literal(icuRules)}`]),
  ];
  return `CREATE DATABASE ${identifier(database)} TEMPLATE template0 ${options.join(" ")}`;
}

/** Settings of the database, and of roles in it, but for those that are no text and would become others. For a session inside. */
export function settingsSql(database: string, { settings }: DatabaseProperties): string[] {
  const name = identifier(database);
  return settings.filter(isText).map((setting) => {
    const whose =
      setting.role === undefined
        ? `DATABASE ${name}`
        : `ROLE ${identifier(setting.role)} IN DATABASE ${name}`;
    return `ALTER ${whose} SET ${assignment(setting)}`;
  });
}

/** What must wait until all is loaded: a limit might keep the load out, and a template cannot be dropped. */
export function finishingSql(database: string, properties: DatabaseProperties): string[] {
  const name = identifier(database);
  const { comment, connectionLimit, isTemplate, labels } = properties;
  return [
    ...grantsSql(name, properties),
    ...(comment === undefined || !isItsText(properties)
      ? []
      : [`COMMENT ON DATABASE ${name} IS ${literal(comment)}`]),
    ...(connectionLimit < 0 ? [] : [`ALTER DATABASE ${name} CONNECTION LIMIT ${connectionLimit}`]),
    ...(isTemplate ? [`ALTER DATABASE ${name} IS_TEMPLATE true`] : []),
    ...labels.map(
      ({ provider, label }) =>
        `SECURITY LABEL FOR ${identifier(provider)} ON DATABASE ${name} IS ${literal(label)}`,
    ),
  ];
}

/** A database without an ACL has the default one, as has the new one; one with an empty ACL allows nothing. */
function grantsSql(name: string, { grants, owner }: DatabaseProperties): string[] {
  if (grants === undefined) return [];
  const on = `ON DATABASE ${name}`;
  return [
    `REVOKE ALL ${on} FROM PUBLIC`,
    `REVOKE ALL ${on} FROM ${identifier(owner)}`,
    ...grants.map(({ grantee, privilege, grantable }) => {
      const whom = grantee === undefined ? "PUBLIC" : identifier(grantee);
      return `GRANT ${privilege} ${on} TO ${whom}${grantable ? " WITH GRANT OPTION" : ""}`;
    }),
  ];
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

/** As `SET` takes it, of what the catalogs have. */
export function assignment({ name, value }: { readonly name: string; readonly value: string }): string {
  const elements = QUOTED_LISTS.has(name) ? listElements(value) : [value];
  const values = elements.length === 0 ? [""] : elements;
  const parameter = name.split(".").map(identifier).join(".");
  return `${parameter} TO ${values.map(literal).join(", ")}`;
}

function listElements(list: string): string[] {
  return [...list.matchAll(/"(?:[^"]|"")*"|[^,\s][^,]*/g)].map(([element]) => unquote(element.trim()));
}
