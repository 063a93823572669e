import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { execa } from "execa";
import { liveContent } from "../../../shared/postgres/databases/live-content.ts";
import { WIPE } from "../../../shared/postgres/databases/wipe.ts";
import { readMakes } from "../../../shared/postgres/plain-dump/archive-makes.ts";
import { sharedServer } from "../../support/postgres.ts";

const MANY = 40;
const BEGIN = `CREATE SCHEMA s; CREATE TABLE s.root (id int PRIMARY KEY, x int); CREATE TABLE s.parted (n int PRIMARY KEY) PARTITION BY RANGE (n);
  CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`;

/** What an in-place restore drops and makes in one transaction, `MANY` of each. */
const KINDS: Readonly<Record<string, (i: number) => string>> = {
  "tables with a serial and a key": (i) => `CREATE TABLE s.t${i} (id serial PRIMARY KEY, u int UNIQUE)`,
  "tables of an application": (i) =>
    `CREATE TABLE s.t${i} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, u text UNIQUE, a int DEFAULT 1 CHECK (a > 0), c int REFERENCES s.root);
     CREATE TRIGGER f BEFORE INSERT ON s.t${i} FOR EACH ROW EXECUTE FUNCTION s.f(); CREATE POLICY p ON s.t${i}; CREATE INDEX ON s.t${i} (a)`,
  partitions: (i) => `CREATE TABLE s.p${i} PARTITION OF s.parted FOR VALUES FROM (${i}) TO (${i + 1})`,
  "views and materialized views": (i) =>
    `CREATE VIEW s.v${i} AS SELECT * FROM s.root; CREATE MATERIALIZED VIEW s.m${i} AS SELECT * FROM s.root`,
  "functions, types and sequences": (i) =>
    `CREATE FUNCTION s.f${i}() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE s.e${i} AS ENUM ('a'); CREATE TYPE s.c${i} AS (a int);
     CREATE DOMAIN s.d${i} AS int; CREATE SEQUENCE s.q${i}`,
  "all else": (i) =>
    `CREATE TEXT SEARCH CONFIGURATION s.c${i} (COPY = simple); CREATE COLLATION s.c${i} FROM "C"; CREATE STATISTICS s.s${i} ON id, x FROM s.root`,
};

describe("the locks of a restore in place", () => {
  for (const [what, sql] of Object.entries(KINDS))
    it(`are estimated as they are taken: ${what}`, async () => {
      const server = await sharedServer();
      const database = await server.createDatabase();
      const client = await server.connect(database);
      try {
        await client.query([BEGIN, ...Array.from({ length: MANY }, (_, i) => sql(i))].join(";\n"));
        const { host, port, user, password, binDir } = server;
        const from = ["-h", host, "-p", `${port}`, "-U", user, "-d", database];
        const options = { env: { PGPASSWORD: password }, encoding: "buffer" } as const;
        const { stdout: archive } = await execa(`${binDir}/pg_dump`, ["-Fc", ...from], options);
        const { stdout: script } = await execa(`${binDir}/pg_restore`, ["-f", "-"], { input: archive });

        const { liveObjects } = await liveContent(client);
        const bytes = async function* () {
          yield archive;
        };
        const { makes } = await readMakes({ binDir }, bytes, {}, new AbortController().signal);
        await client.query("BEGIN");
        await client.query(WIPE);
        await client.query(script.replaceAll(/^\\.*$/gm, "").replaceAll(/^COPY .*;$/gm, ""));
        const { rows } = await client.query<{ locks: number }>(
          `SELECT count(DISTINCT (locktype, database, relation, classid, objid, objsubid))::int AS locks
           FROM pg_locks WHERE pid = pg_backend_pid()`,
        );

        const locks = rows[0]?.locks ?? 0;
        const estimated = liveObjects + makes.locks;
        assert.ok(estimated >= locks * 0.85 && estimated < locks * 1.6, `${estimated} for ${locks}`);
      } finally {
        await client.end();
        await server.dropDatabase(database);
      }
    });
});
