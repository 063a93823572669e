/**
 * SQL that is true where the asking role may give things to role `o` and act for it, as it must to fill, index or comment on
 * them. Before 16 these are membership and INHERIT of the role; since then each membership has the options SET and INHERIT.
 */
export const MAY_STAND_FOR = `(pg_has_role(o.oid, 'USAGE') AND pg_has_role(o.oid,
  CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END))`;

/** They are settings of every session, and pg_settings does not show them. */
const HIDDEN = "'role', 'session_authorization'";

/**
 * SQL that is true where a role that is no superuser may not give `name` to a database, a role or a function, with `known`
 * its row of pg_settings, if any. What no library that is loaded has defined is a superuser's alone; rights to single settings
 * are of 15 and later, which alone have a function to ask for them.
 */
export function mayNotSet(name: string, known: string, serverMajor: number): string {
  const isGranted = serverMajor < 15 ? "false" : `has_parameter_privilege(${name}, 'SET')`;
  return `(${known}.context IS DISTINCT FROM 'user' AND lower(${name}) NOT IN (${HIDDEN}) AND NOT ${isGranted})`;
}
