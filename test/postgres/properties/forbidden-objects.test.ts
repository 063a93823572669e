import { describeForbidden } from "../../support/forbidden-stage.ts";

describeForbidden("objects of a superuser", [
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
    since: 15,
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
]);
