import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { findClientTools } from "../../shared/postgres/client-tools.ts";
import type { OmissionKind } from "../../shared/postgres/lacks.ts";
import { startDump } from "../../shared/postgres/pg-dump.ts";
import { openLibpq } from "../../shared/postgres/session/libpq.ts";
import { inspectDatabase, type DatabaseInspection } from "../../shared/postgres/preflight.ts";
import { collect, dumpOptions, settingsOf } from "../support/postgres-adapter.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";

const never = new AbortController().signal;

describe("inspectDatabase", () => {
  let server: TestServer;
  let database: string;
  const role = `reader_${process.pid}`;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    await server.query("postgres", `CREATE ROLE ${role} LOGIN PASSWORD 'reader'`);
    await server.query(database, `CREATE TABLE plain AS SELECT 1 AS a; GRANT SELECT ON plain TO ${role}`);
    await letReadAll(true);
  });

  /** Before 14 there is no such role: only what is granted can be read. */
  async function letReadAll(may: boolean): Promise<void> {
    const change = may ? `GRANT pg_read_all_data TO ${role}` : `REVOKE pg_read_all_data FROM ${role}`;
    if (server.major >= 14) await server.query("postgres", change);
  }

  after(async () => {
    await server.dropDatabase(database);
    await server.query("postgres", `DROP ROLE ${role}`);
  });

  const asRole = () => settingsOf(server, { user: role, password: "reader" });
  const inspect = () => inspectDatabase(asRole(), database, never);

  async function dumpAsRole(inspection: DatabaseInspection, kinds: readonly OmissionKind[]): Promise<void> {
    await using libpq = await openLibpq(asRole());
    const tools = await findClientTools(inspection.serverMajor, server.binDir, "");
    const leaveOut = inspection.lacks.filter(({ kind }) => kinds.includes(kind));
    const request = { database, inspection, leaveOut };
    await collect(startDump({ tools, libpq, options: dumpOptions(server), request }, never).archive);
  }

  it("reads version, size and extensions, and finds nothing amiss in a plain database", async () => {
    const inspection = await inspect();

    assert.equal(inspection.serverMajor, server.major);
    assert.ok(inspection.serverVersion.startsWith(`${server.major}`));
    assert.ok(inspection.databaseBytes > 1_000_000);
    assert.deepEqual(
      inspection.extensions.map(({ name }) => name),
      ["plpgsql"],
    );
    assert.deepEqual(
      inspection.lacks.filter(({ data }) => data),
      [],
    );
  });

  const cases: readonly (readonly [OmissionKind, string, string, RegExp])[] = [
    ["large-objects", "SELECT lo_from_bytea(424242, 'x')", "SELECT lo_unlink(424242)", /^424242$/],
    [
      "row-security",
      `CREATE TABLE "Row ""sec" (a int); GRANT SELECT ON "Row ""sec" TO ${role};
       ALTER TABLE "Row ""sec" ENABLE ROW LEVEL SECURITY`,
      `DROP TABLE "Row ""sec"`,
      /^public\."Row ""sec"$/,
    ],
  ];
  for (const [kind, create, drop, name] of cases) {
    it(`names ${kind} that the role cannot dump, and pg_dump agrees`, async () => {
      await server.query(database, create);
      try {
        const inspection = await inspect();
        const lack = inspection.lacks.find((found) => found.kind === kind);

        assert.match(lack?.names.join() ?? "", name);
        assert.equal(lack?.data, true);
        await assert.rejects(dumpAsRole(inspection, []), { code: "permission_denied" });
        await dumpAsRole(inspection, [kind]);
      } finally {
        await server.query(database, drop);
      }
    });
  }

  it("names tables and sequences that the role may not read, and pg_dump agrees", async () => {
    await letReadAll(false);
    await server.query(
      database,
      `CREATE SCHEMA "Closed"; CREATE TABLE "Closed".inside (id int GENERATED ALWAYS AS IDENTITY);
       CREATE TABLE denied (a int); CREATE SEQUENCE alone;
       CREATE TABLE counted (a serial, b int GENERATED ALWAYS AS IDENTITY); GRANT SELECT ON counted TO ${role}`,
    );
    try {
      const inspection = await inspect();
      const lack = inspection.lacks.find(({ kind }) => kind === "unreadable-tables");

      assert.deepEqual(lack?.names, [
        '"Closed".inside',
        '"Closed".inside_id_seq',
        "public.alone",
        "public.counted_a_seq",
        "public.counted_b_seq",
        "public.denied",
      ]);
      await assert.rejects(dumpAsRole(inspection, []), { code: "permission_denied" });
      await dumpAsRole(inspection, ["unreadable-tables"]);
    } finally {
      await server.query(
        database,
        `DROP SCHEMA "Closed" CASCADE; DROP TABLE denied, counted; DROP SEQUENCE alone`,
      );
      await letReadAll(true);
    }
  });

  const needing: Readonly<Record<string, readonly [sql: string, needs: string | undefined]>> = {
    "a view": ["CREATE VIEW v AS SELECT a FROM lost", "view public.v"],
    "a foreign key": [
      "CREATE TABLE v (a int CONSTRAINT f REFERENCES lost)",
      "constraint f on table public.v",
    ],
    "a child": ["CREATE TABLE v () INHERITS (lost)", "table public.v"],
    "a partition": ["CREATE TABLE v PARTITION OF lost_root FOR VALUES FROM (0) TO (9)", "table public.v"],
    "a sequence by default": [
      "CREATE TABLE v (a int DEFAULT nextval('lost_seq'))",
      "default value for column a of table public.v",
    ],
    "nothing, of a column's own sequence": ["CREATE TABLE v (a serial)", undefined],
    "nothing, of what is lost itself": ["ALTER TABLE lost ADD b int REFERENCES lost", undefined],
  };
  for (const [what, [sql, needs]] of Object.entries(needing))
    it(`says what cannot be restored without the tables that the role may not read: ${what}`, async () => {
      const own = await server.createDatabase();
      await server.query(
        own,
        `CREATE TABLE lost (a int PRIMARY KEY DEFAULT 1); CREATE SEQUENCE lost_seq;
         CREATE TABLE lost_root (a int) PARTITION BY RANGE (a); ${sql};
         DO $$ BEGIN GRANT SELECT ON v TO ${role}; EXCEPTION WHEN undefined_table THEN NULL; END $$`,
      );
      await letReadAll(false);
      try {
        const { lacks } = await inspectDatabase(asRole(), own, never);
        const detail = lacks.find(({ kind }) => kind === "unreadable-tables")?.detail ?? "";

        assert.equal(/names it: (.*)\)$/.exec(detail)?.[1], needs);
      } finally {
        await letReadAll(true);
        await server.dropDatabase(own);
      }
    });

  it("names subscriptions, user mappings and foreign tables, which are no rows of this database", async () => {
    await server.query(
      database,
      `CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
       CREATE USER MAPPING FOR postgres SERVER far OPTIONS (password 'secret');
       CREATE FOREIGN TABLE away (a int) SERVER far;
       CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false);`,
    );
    try {
      const { lacks } = await inspect();
      const names = new Map(lacks.map((lack) => [lack.kind, lack.names]));

      assert.deepEqual(names.get("subscriptions"), ["sub"]);
      assert.deepEqual(names.get("user-mappings"), ["far for postgres"]);
      assert.deepEqual(names.get("foreign-tables"), ["public.away"]);
      assert.ok(names.get("roles")?.includes(role));
      assert.ok(lacks.every(({ data }) => !data));
    } finally {
      await server.query(database, "ALTER SUBSCRIPTION sub SET (slot_name = NONE)");
      await server.query(database, "DROP SUBSCRIPTION sub; DROP EXTENSION postgres_fdw CASCADE");
    }
  });
});
