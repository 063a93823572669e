import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import { findBlockers } from "../../../functions/restore/plan/blockers.ts";
import { archiveIn } from "../../../shared/catalog/archives/archive-files.ts";
import type { LoadChoice } from "../../../shared/postgres/databases/load-choice.ts";
import { openLibpq } from "../../../shared/postgres/session/libpq.ts";
import { restoreServer } from "../../../shared/postgres/databases/restore-server.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

const never = new AbortController().signal;
const ROLE = `owner_${randomBytes(4).toString("hex")}`;
const OTHER = `${ROLE}_other`;
const MEMBER = `${ROLE}_member`;

/** Made by a superuser, restored by the role that owns the database and may create others. */
type Kind = {
  readonly what: string;
  readonly sql: string;
  readonly choice?: LoadChoice;
  /** The server passes it over with a warning: it is told, although nothing fails. */
  readonly isPassedOver?: true;
};
const KINDS: readonly Kind[] = [
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
    what: "an event trigger",
    sql: `CREATE FUNCTION w() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER "w; x" ON ddl_command_end EXECUTE FUNCTION w()`,
    choice: { owner: "current" },
  },
  {
    what: "a publication for all tables",
    sql: "CREATE PUBLICATION everything FOR ALL TABLES",
    choice: { owner: "current" },
  },
  {
    what: "a publication for a schema",
    sql: "CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA public",
    choice: { owner: "current" },
  },
  {
    what: "a foreign data wrapper, server and table",
    sql: "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE ft (n int) SERVER s",
    choice: { owner: "current" },
  },
  {
    what: "a function in C",
    sql: "CREATE FUNCTION i(int, int) RETURNS int LANGUAGE internal AS 'int4pl'",
    choice: { owner: "current" },
  },
  {
    what: "a leakproof function",
    sql: "CREATE FUNCTION l(int) RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'",
    choice: { owner: "current" },
  },
  {
    what: "a function with a superuser's setting",
    sql: "CREATE FUNCTION l(int) RETURNS int LANGUAGE sql SET log_statement = 'all' AS 'SELECT 1'",
    choice: { owner: "current" },
  },
  {
    what: "a function with a setting of its own",
    sql: "CREATE FUNCTION l(int) RETURNS int LANGUAGE sql SET search_path = public AS 'SELECT 1'",
    choice: { owner: "current" },
  },
  {
    what: "a cast between types of the server",
    sql: "CREATE CAST (int AS text) WITH INOUT AS ASSIGNMENT",
    choice: { owner: "current" },
  },
  {
    what: "a cast without a function",
    sql: "CREATE CAST (int AS xid) WITHOUT FUNCTION",
    choice: { owner: "current" },
  },
  {
    what: "a transform",
    sql: "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal))",
    choice: { owner: "current" },
  },
  {
    what: "an operator class",
    sql: "CREATE OPERATOR CLASS oc FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int)",
    choice: { owner: "current" },
  },
  { what: "an operator family", sql: "CREATE OPERATOR FAMILY ofa USING hash", choice: { owner: "current" } },
  {
    what: "an access method",
    sql: "CREATE ACCESS METHOD rows TYPE TABLE HANDLER heap_tableam_handler",
    choice: { owner: "current" },
  },
  {
    what: "a text search parser",
    sql: "CREATE TEXT SEARCH PARSER tp (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
    choice: { owner: "current" },
  },
  {
    what: "a text search template",
    sql: "CREATE TEXT SEARCH TEMPLATE tt (LEXIZE = dsimple_lexize)",
    choice: { owner: "current" },
  },
  {
    what: "a base type",
    sql: "CREATE TYPE base; CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'textin'; CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'; CREATE TYPE base (INPUT = base_in, OUTPUT = base_out)",
    choice: { owner: "current" },
  },
  {
    what: "a language",
    sql: "CREATE LANGUAGE mine HANDLER plpgsql_call_handler",
    choice: { owner: "current" },
  },
  {
    what: "an aggregate over internal state",
    sql: "CREATE AGGREGATE ag (int8) (SFUNC = int8_avg_accum, STYPE = internal, FINALFUNC = numeric_poly_avg)",
    choice: { owner: "current" },
  },
  {
    what: "an extension that is trusted",
    sql: "CREATE EXTENSION hstore; COMMENT ON EXTENSION hstore IS 'ours'",
    choice: { owner: "current" },
  },
  { what: "an extension that is not", sql: "CREATE EXTENSION pageinspect" },
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
    what: "an aggregate over a moving internal state",
    sql: `CREATE AGGREGATE ag (numeric) (SFUNC = numeric_add, STYPE = numeric,
    MSFUNC = numeric_avg_accum, MINVFUNC = numeric_accum_inv, MSTYPE = internal, MFINALFUNC = numeric_sum)`,
    choice: { owner: "current" },
  },
  {
    what: "a conversion",
    sql: "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
    choice: { owner: "current" },
  },
  {
    what: "grants on functions of the server",
    sql: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO ${MEMBER}`,
    choice: { owner: "current" },
  },
];

describe("what a role may not make is in the plan, by name", () => {
  let server: TestServer;
  let folder: Removed & { readonly path: string };
  before(async () => {
    server = await sharedServer();
    folder = await temporaryFolder();
    await server.query(
      "postgres",
      `CREATE ROLE ${ROLE} LOGIN PASSWORD '${ROLE}' CREATEDB; CREATE ROLE ${OTHER}; CREATE ROLE ${MEMBER}; GRANT ${MEMBER} TO ${ROLE}`,
    );
  });
  after(async () => {
    await server.query("postgres", `DROP ROLE ${ROLE}, ${OTHER}, ${MEMBER}`);
    await folder[Symbol.asyncDispose]();
  });

  for (const [index, { what, sql, choice = {}, isPassedOver = false }] of KINDS.entries())
    it(`of ${what}`, async () => {
      const database = await server.createDatabase();
      const loaded = `${database}_loaded`;
      try {
        await server.query("postgres", `ALTER DATABASE "${database}" OWNER TO ${ROLE}`);
        await server.query(database, sql.replaceAll(":db", `"${database}"`));
        const path = join(folder.path, `${index}`);
        const { host, port, user, password, binDir } = server;
        const to = ["-h", host, "-p", `${port}`, "-U", user, "-d", database, "-f", path];
        await execa(`${binDir}/pg_dump`, ["-Fc", ...to], { env: { PGPASSWORD: password } });
        const settings = settingsOf({ ...server, user: ROLE, password: ROLE });
        await using libpq = await openLibpq(settings);
        const limits = { deadlineMs: 120_000, stallMs: 120_000, jobs: 1, secrets: [] };
        const restore = restoreServer(settings, libpq, limits, { binDir, searchPath: "" });
        const tools = await restore.tools(server.major, never);

        const handle = await open(path);
        await using file = archiveIn(handle, () => handle.close());
        const demands = await tools.contents(() => file.bytes(), choice, never);
        const { needs, makes } = demands;
        const facts = await restore.inspect({ database, target: database, needs, makes }, never);
        const blockers = findBlockers("swap", { facts, backup: undefined, demands, choice });
        await server.query("postgres", `CREATE DATABASE "${loaded}" OWNER ${ROLE} TEMPLATE template0`);
        const request = { database: loaded, file, format: "custom", settings: {}, jobs: 2, choice } as const;
        const failed = await tools.load(request, never).then(
          () => undefined,
          (error: unknown) => String(error),
        );

        const said = JSON.stringify([blockers, facts.forbidden.doubtful]);
        assert.ok(blockers.length === 0 || failed !== undefined, `blocked for nothing: ${said}`);
        const isTold = blockers.length > 0 || facts.forbidden.doubtful.length > 0;
        assert.ok(isTold || (failed === undefined && !isPassedOver), `not reported: ${failed}`);
        for (const { names } of blockers) assert.notDeepEqual(names, []);
      } finally {
        await server.query("postgres", `ALTER ROLE ${ROLE} INHERIT`);
        await server.dropDatabase(loaded);
        await server.dropDatabase(database);
      }
    });
});
