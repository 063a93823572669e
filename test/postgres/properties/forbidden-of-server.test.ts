import { describeForbidden, MEMBER, ROLE } from "../../support/forbidden-stage.ts";

describeForbidden("changes to what the server has by itself", [
  {
    what: "a collation in a locale that the server does not have",
    sql: `CREATE COLLATION public.gone (provider = libc, locale = 'C'); CREATE TABLE public.t (a text COLLATE public.gone);
    UPDATE pg_collation SET collcollate = 'xx_GONE.utf8', collctype = 'xx_GONE.utf8' WHERE collname = 'gone'`,
    choice: { owner: "current" },
  },
  {
    what: "a table sorted by a collation that the server should have by itself",
    sql: `SET allow_system_table_mods = on; CREATE COLLATION pg_catalog."xx_GONE" FROM "C"; CREATE TABLE public.t (a text COLLATE "xx_GONE")`,
    choice: { owner: "current" },
  },
  {
    what: "collations that the server has",
    sql: `SET ROLE ${ROLE}; CREATE SCHEMA s; CREATE COLLATION s.c (provider = libc, locale = 'C'); CREATE TABLE s.t (a text COLLATE s.c, b text COLLATE "POSIX");
    CREATE COLLATION s.i (provider = icu, locale = 'sv', deterministic = false); CREATE INDEX ON s.t (a COLLATE "ucs_basic"); CREATE VIEW s.v AS SELECT a FROM s.t ORDER BY a COLLATE "C"`,
  },
  ...[
    "FUNCTION pg_catalog.pg_sleep(double precision)",
    "TABLE pg_catalog.pg_user",
    "LANGUAGE plpgsql",
    "SCHEMA pg_catalog",
    "TYPE pg_catalog.int4",
  ].map((what) => ({
    what: `what was revoked on ${what}`,
    sql: `REVOKE ALL ON ${what} FROM PUBLIC`,
    choice: { owner: "current" } as const,
    isPassedOver: true as const,
  })),
  {
    what: "what was revoked on a function of an extension",
    sql: "CREATE EXTENSION hstore; REVOKE EXECUTE ON FUNCTION hstore_to_json(hstore) FROM PUBLIC",
    choice: { owner: "current" },
    isPassedOver: true,
  },
  {
    what: "grants on a type of an extension that the role has made",
    sql: `SET ROLE ${ROLE}; CREATE EXTENSION hstore SCHEMA public; RESET ROLE; REVOKE ALL ON TYPE hstore FROM PUBLIC; GRANT USAGE ON TYPE hstore TO ${MEMBER}`,
    choice: { owner: "current" },
    isPassedOver: true,
  },
  {
    what: "an extension as it is",
    sql: `CREATE EXTENSION hstore; CREATE TABLE t (h hstore, id int GENERATED ALWAYS AS IDENTITY); ALTER TABLE t OWNER TO ${ROLE}; GRANT SELECT ON t TO ${MEMBER}; GRANT USAGE ON SEQUENCE t_id_seq TO ${MEMBER}`,
  },
  {
    what: "grants on functions of the server",
    sql: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO ${MEMBER}`,
    choice: { owner: "current" },
  },
]);
