import type { Settings } from "./database-properties.ts";

/** No limit of time that a server, a role or a database may have for its applications is meant for a backup or a restore. */
const NO_LIMITS = {
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  transaction_timeout: "0",
  tcp_keepalives_idle: "0",
  tcp_keepalives_interval: "0",
  tcp_keepalives_count: "0",
  tcp_user_timeout: "0",
  client_connection_check_interval: "0",
};

/**
 * Of every session, ours and the tools'. A server may lack the newer ones. Each is the role that has logged in, whatever role a
 * database or that role is set to: its rights are those that the plan looks at.
 */
export const OF_EVERY_SESSION = {
  ...NO_LIMITS,
  role: "none",
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  exit_on_error: "off",
} as const satisfies Settings;

/** By which the server reads damaged pages as empty, or as they are, with a warning at most. Only a superuser may set them. */
export const OVER_DAMAGE = {
  ignore_checksum_failure: "off",
  zero_damaged_pages: "off",
} as const satisfies Settings;

/**
 * Of pg_dump, pg_restore and psql, whatever the database has: what is written is read in the same way. pg_dump writes the
 * element NULL of an array without quotes, which only array_nulls reads as such.
 */
export const OF_TOOLS = {
  ...OF_EVERY_SESSION,
  ...OVER_DAMAGE,
  array_nulls: "on",
  check_function_bodies: "off",
  gin_fuzzy_search_limit: "0",
  icu_validation_level: "warning",
  restrict_nonsystem_relation_kind: "",
  xmloption: "content",
} as const satisfies Settings;

/** Of sessions that load, where the role may set them: what is loaded fires nothing but what belongs to the loading. */
export const OF_LOADS = {
  session_replication_role: "origin",
  event_triggers: "off",
} as const satisfies Settings;

/** Of the settings of a load those that keep any session in the loaded database from firing something, as at its login. */
export function quietOf(settings: Settings): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => name in OF_LOADS));
}

/**
 * What decides how a value is written, read, cast or checked, and is the database's own affair: the dump is written under
 * the values that the owner of the database works under, they are noted beside it, and it is loaded under the same,
 * by whichever role and on whichever server. Settings with a dot, which are those of applications and extensions, belong here too.
 */
export const OF_THE_DATABASE = [
  "backslash_quote",
  "bytea_output",
  "DateStyle",
  "default_text_search_config",
  "extra_float_digits",
  "IntervalStyle",
  "lc_monetary",
  "lc_numeric",
  "lc_time",
  "quote_all_identifiers",
  "standard_conforming_strings",
  "TimeZone",
  "timezone_abbreviations",
  "transform_null_equals",
  "xmlbinary",
] as const;

/** Of the 10,000 that a startup packet may have; the rest is for what every session has. */
const MOST_BYTES = 8_000;
const NAME = /^[\w$\u0080-\u{10ffff}]+(?:\.[\w$\u0080-\u{10ffff}]+)*$/u;
const ASCII = /^[\t\n\r\x20-\x7e]*$/;
/** In these a text has the same bytes as here. SQL_ASCII keeps any: what was none of UTF-8 was replaced when it was read. */
const OF_SAME_BYTES: ReadonlySet<string | undefined> = new Set(["UTF8", "SQL_ASCII"]);

/** Those of `settings` that a session can be begun with in a database of that encoding: the server converts nothing yet. */
export function carried(settings: Settings, encoding: string | undefined): Settings {
  let bytes = 0;
  const fits = ([name, value]: readonly [string, string]) => {
    const isText = ASCII.test(name + value) || OF_SAME_BYTES.has(encoding);
    if (!NAME.test(name) || !isText || /[\0\ufffd]/.test(value)) return false;
    const more = Buffer.byteLength(pgOptions({ [name]: value })) + 1;
    if (bytes + more > MOST_BYTES) return false;
    bytes += more;
    return true;
  };
  return Object.fromEntries(Object.entries(settings).filter(fits));
}

/** As PGOPTIONS has them, which no setting of a role or a database overrides. */
export function pgOptions(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\t-\r \\]/g, "\\$&")}`)
    .join(" ");
}
