import { describeForbidden, MEMBER, OTHER, ROLE } from "../../support/forbidden-stage.ts";

describeForbidden("objects and rights of other roles", [
  {
    what: "its own tables, views, functions, types",
    sql: `SET ROLE ${ROLE}; CREATE SCHEMA s; CREATE TABLE s.t (id serial PRIMARY KEY, n int UNIQUE);
    CREATE VIEW s.v AS SELECT * FROM s.t; CREATE TYPE s.e AS ENUM ('a'); CREATE DOMAIN s.d AS int CHECK (VALUE > 0);
    CREATE FUNCTION s.f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE s.r AS RANGE (SUBTYPE = int);
    CREATE AGGREGATE s.total (int) (SFUNC = int4pl, STYPE = int); CREATE OPERATOR s.||| (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
    CREATE COLLATION s.c FROM "C"; CREATE TEXT SEARCH CONFIGURATION s.ts (COPY = pg_catalog.simple);
    CREATE TEXT SEARCH DICTIONARY s.td (TEMPLATE = pg_catalog.simple); CREATE PUBLICATION p FOR TABLE s.t; CREATE STATISTICS s.st ON id, n FROM s.t;
    CREATE TYPE s.pair AS (a int, b int); CREATE FUNCTION s.to_int(s.pair) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE CAST (s.pair AS int) WITH FUNCTION s.to_int(s.pair)`,
  },
  {
    what: "its own functions whose text reads like what a superuser makes",
    sql: `SET ROLE ${ROLE}; CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
  SET log_statement TO 'all';
  EXECUTE 'CREATE FUNCTION g() RETURNS int
    LANGUAGE c LEAKPROOF
    AS ...';
END $f$`,
  },
  {
    what: "a cast from an array of its own",
    sql: `SET ROLE ${ROLE}; CREATE SCHEMA s; CREATE TYPE s.e AS ENUM ('a'); CREATE FUNCTION s.n(s.e[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE CAST (s.e[] AS int) WITH FUNCTION s.n(s.e[])`,
  },
  {
    what: "a schema and a function of a superuser",
    sql: "CREATE SCHEMA helpers; CREATE FUNCTION helpers.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
  },
  {
    what: "the same, for the current role",
    sql: "CREATE SCHEMA helpers; CREATE FUNCTION helpers.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    choice: { owner: "current" },
  },
  {
    what: "a table of a role that it is no member of",
    sql: `CREATE SCHEMA "Odd; schema"; CREATE TABLE "Odd; schema"."t
x" (n int); ALTER TABLE "Odd; schema"."t
x" OWNER TO ${OTHER}`,
  },
  {
    what: "a schema of a role that it is a member of",
    sql: `CREATE SCHEMA m AUTHORIZATION ${MEMBER}; CREATE TABLE m.t (n int); ALTER TABLE m.t OWNER TO ${MEMBER}`,
  },
  {
    what: "a table of such a role in the schema public",
    sql: `CREATE TABLE t (n int); ALTER TABLE t OWNER TO ${MEMBER}; GRANT CREATE ON SCHEMA public TO ${MEMBER}`,
  },
  {
    what: "a publication of such a role",
    sql: `CREATE PUBLICATION p; ALTER PUBLICATION p OWNER TO ${ROLE}; GRANT CREATE ON DATABASE :db TO ${MEMBER}; ALTER PUBLICATION p OWNER TO ${MEMBER}`,
  },
  {
    what: "default privileges of another",
    sql: `ALTER DEFAULT PRIVILEGES FOR ROLE ${OTHER} GRANT SELECT ON TABLES TO PUBLIC`,
    choice: { owner: "current" },
  },
  { what: "a large object of a superuser", sql: "SELECT lo_from_bytea(0, 'x')" },
  {
    what: "what another than the owner granted",
    sql: `CREATE TABLE t (n int); GRANT SELECT ON t TO ${MEMBER} WITH GRANT OPTION; SET ROLE ${MEMBER}; GRANT SELECT ON t TO PUBLIC`,
    choice: { owner: "current" },
  },
  {
    what: "row security that is forced",
    sql: `SET ROLE ${ROLE}; CREATE SCHEMA s; CREATE TABLE s.t (n int); ALTER TABLE s.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s.t FORCE ROW LEVEL SECURITY`,
  },
  ...[
    "CREATE TABLE public.t (n int)",
    "CREATE SCHEMA own; CREATE TABLE own.t (n int)",
    `CREATE SCHEMA m AUTHORIZATION ${MEMBER}; SET ROLE ${MEMBER}; CREATE TABLE m.t (n int)`,
  ].map((sql) => ({
    what: `a role that does not inherit: ${sql.replace(MEMBER, "a member")}`,
    sql: `ALTER ROLE ${ROLE} NOINHERIT; GRANT CREATE ON SCHEMA public TO ${ROLE}; SET ROLE ${ROLE}; ${sql}`,
  })),
  {
    what: "a function with a role that it becomes",
    sql: `CREATE FUNCTION l(int) RETURNS int LANGUAGE sql SET role = '${MEMBER}' AS 'SELECT 1'`,
    choice: { owner: "current" },
  },
]);
