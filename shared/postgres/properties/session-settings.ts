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

/** Of every session, ours and the tools'. A server may lack the newer ones. */
export const OF_EVERY_SESSION = {
  ...NO_LIMITS,
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  exit_on_error: "off",
} as const satisfies Settings;

/**
 * Of pg_dump, pg_restore and psql, whatever the database has: what is written is read in the same way. pg_dump writes the
 * element NULL of an array without quotes, which only array_nulls reads as such.
 */
export const OF_TOOLS = {
  ...OF_EVERY_SESSION,
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

/** A startup packet may have 10,000 bytes. */
const MOST_BYTES = 8_000;
const PLAIN_NAME = /^[\w$]+(?:\.[\w$]+)*$/;
const ASCII = /^[\t\n\r\x20-\x7e]*$/;

/**
 * As PGOPTIONS has them, which no setting of a role or a database overrides. Left to the database's own settings is what
 * does not fit in, and what is not ASCII, since the server takes its bytes without converting them.
 */
export function pgOptions(settings: Settings): string {
  let options = "";
  for (const [name, value] of Object.entries(settings)) {
    const option = `-c ${name}=${value.replaceAll(/[\s\\]/g, "\\$&")} `;
    if (!PLAIN_NAME.test(name) || !ASCII.test(value) || options.length + option.length > MOST_BYTES) continue;
    options += option;
  }
  return options.trimEnd();
}
