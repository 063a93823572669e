import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { until } from "../../support/faulty.ts";
import { startPostgres } from "../../support/postgres.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";

/** Enums, whose hashes differ between servers: pg_dump loads such a table through its root. */
const HASHED_BY_ENUM = `
  CREATE TABLE hire.hashed (status hire.status, n int) PARTITION BY HASH (status);
  CREATE TABLE hire.hashed_0 PARTITION OF hire.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE hire.hashed_1 PARTITION OF hire.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  INSERT INTO hire.hashed SELECT (enum_range(NULL::hire.status))[1 + n % 3], n FROM generate_series(1, 90) n`;
/** Inheritance, row security, generated columns, deferred keys, event triggers, publications, default privileges. */
const UNUSUAL = `
  CREATE TABLE hire.parent (a int); INSERT INTO hire.parent VALUES (1);
  CREATE TABLE hire.child (b int GENERATED ALWAYS AS (a * 2) STORED) INHERITS (hire.parent);
  INSERT INTO hire.child (a) VALUES (2), (3);
  ALTER TABLE hire.parent ENABLE ROW LEVEL SECURITY;
  CREATE POLICY none ON hire.parent USING (false);
  CREATE TABLE hire.cycle (id int PRIMARY KEY, next int REFERENCES hire.cycle DEFERRABLE INITIALLY DEFERRED);
  INSERT INTO hire.cycle VALUES (1, 2), (2, 1);
  ALTER DEFAULT PRIVILEGES IN SCHEMA hire GRANT SELECT ON TABLES TO PUBLIC;
  CREATE PUBLICATION owners FOR TABLE hire.owner`;
const ONLY_A_SUPERUSER_MAKES = `
  CREATE EXTENSION hstore SCHEMA hire; CREATE EXTENSION pg_trgm; CREATE EXTENSION pg_stat_statements;
  CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
  CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.watch()`;
/** A materialized view is filled again as its owner, to which a policy shows a part of the table. */
const FILLED_UNDER_A_POLICY = `
  CREATE TABLE hire.forced AS SELECT n FROM generate_series(1, 9) n;
  ALTER TABLE hire.forced ENABLE ROW LEVEL SECURITY;
  ALTER TABLE hire.forced FORCE ROW LEVEL SECURITY;
  CREATE POLICY few ON hire.forced USING (n < 4);
  CREATE MATERIALIZED VIEW hire.few AS SELECT * FROM hire.forced;
  DO $$
  DECLARE owner text := (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'hire');
  BEGIN
    EXECUTE format('ALTER TABLE hire.forced OWNER TO %s', owner);
    EXECUTE format('ALTER MATERIALIZED VIEW hire.few OWNER TO %s', owner);
  END $$;
  REFRESH MATERIALIZED VIEW hire.few`;
/** What lies in no schema, and a schema that belongs to an extension. */
const OUTSIDE_OF_SCHEMAS = `
  CREATE CAST (int AS text) WITH INOUT AS ASSIGNMENT; CREATE ACCESS METHOD rows TYPE TABLE HANDLER heap_tableam_handler;
  CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal));
  CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing;
  CREATE USER MAPPING FOR PUBLIC SERVER elsewhere;
  CREATE SCHEMA of_extension; CREATE EXTENSION citext; ALTER EXTENSION citext ADD SCHEMA of_extension`;
const FORBIDS_TO_DROP = `
  CREATE FUNCTION hire.forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'nobody drops here'; END $$;
  CREATE EVENT TRIGGER forbid ON sql_drop EXECUTE FUNCTION hire.forbid();
  CREATE EVENT TRIGGER citext ON sql_drop WHEN TAG IN ('DROP VIEW') EXECUTE FUNCTION hire.forbid();
  ALTER EXTENSION citext ADD EVENT TRIGGER citext`;
const OUTSIDE = `
  SELECT (SELECT count(*)::int FROM pg_cast WHERE oid >= 16384 AND castsource = 'int'::regtype) AS casts,
    (SELECT count(*)::int FROM pg_transform) AS transforms,
    (SELECT count(*)::int FROM pg_am WHERE oid >= 16384) AS methods,
    (SELECT count(*)::int FROM pg_foreign_data_wrapper) AS wrappers,
    (SELECT count(*)::int FROM pg_user_mappings) AS mappings`;

/** Which partition a row of `hashed` lies in is another matter in each database. */
async function readContent(stage: RestoreStage): Promise<unknown> {
  const tables = Object.entries(await stage.fingerprint()).filter(
    ([name]) => !name.startsWith("hire.hashed"),
  );
  return [
    Object.fromEntries(tables),
    (await stage.query(stage.database, "SELECT * FROM hire.hashed ORDER BY n")).rows,
  ];
}

describe("a restore by a role that is no superuser", () => {
  let stage: RestoreStage;

  afterEach(() => stage[Symbol.asyncDispose]());

  it("swaps what it owns when it may create databases, and takes that back", async () => {
    stage = await setRestoreStage({
      prepare: async (server, database) => {
        const { rows } = await server.query(
          "postgres",
          "SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1",
          [database],
        );
        await server.query(
          database,
          `SET ROLE ${(rows as { owner: string }[])[0]?.owner}; ${HASHED_BY_ENUM}; ${UNUSUAL}`,
        );
      },
    });
    await stage.query(
      "postgres",
      `ALTER ROLE ${stage.owner} CREATEDB; ALTER ROLE ${stage.owner} SET statement_timeout = '1ms'`,
    );
    await stage.query("postgres", `ALTER DATABASE :db SET search_path = hire, public`);
    await stage.query("postgres", `ALTER ROLE ${stage.owner} SET default_transaction_read_only = on`);
    const original = await readContent(stage);
    const properties = await stage.properties(stage.database);
    await stage.destroyData().catch(() => undefined);
    await stage.query(stage.database, "DELETE FROM hire.equipment; DROP TABLE hire.hashed");
    const destroyed = await stage.fingerprint();
    const restore = await stage.startAsOwner();

    const result = await stage.readResult(restore.post({ filename: stage.backup.name }));
    const restored = await readContent(stage);
    const carried = await stage.properties(stage.database);
    await stage.readResult(restore.post(result.undo?.body));

    assert.deepEqual(restored, original);
    assert.deepEqual(carried, properties);
    assert.deepEqual(await stage.fingerprint(), destroyed);
  });

  it("ends the sessions of roles that it is no member of, by pg_signal_backend alone", async () => {
    stage = await setRestoreStage();
    const other = `${stage.owner}_app`;
    await stage.query(
      "postgres",
      `ALTER ROLE ${stage.owner} CREATEDB; GRANT pg_signal_backend TO ${stage.owner}`,
    );
    await stage.query("postgres", `CREATE ROLE ${other} LOGIN PASSWORD '${other}'`);
    const { host, port } = stage.server;
    const session = new (await import("pg")).default.Client({
      host,
      port,
      user: other,
      password: other,
      database: stage.database,
    });
    session.on("error", () => undefined);
    await session.connect();
    const restore = await stage.startAsOwner();

    await stage.readResult(restore.post({ filename: stage.backup.name }));

    await assert.rejects(session.query("SELECT 1"));
    await session.end().catch(() => undefined);
    await stage.query("postgres", `DROP ROLE ${other}`);
  });
});

describe("a restore of what is unusual", () => {
  for (const strategy of ["swap", "in-place"] as const)
    it(`brings back extensions, hashed partitions, policies and event triggers by ${strategy}`, async () => {
      await using stage = await setRestoreStage({
        prepare: (server, database) =>
          server.query(
            database,
            `${ONLY_A_SUPERUSER_MAKES}; ${HASHED_BY_ENUM}; ${UNUSUAL}; ${OUTSIDE_OF_SCHEMAS}`,
          ),
      });
      const original = await readContent(stage);
      await stage.destroyData();
      const restore = await stage.start();

      const result = await stage.readResult(restore.post({ filename: stage.backup.name, strategy }));

      assert.deepEqual(await readContent(stage), original);
      assert.equal(result.compared?.rows, stage.backup.content.rows);
      const sql =
        "SELECT (SELECT count(*)::int FROM pg_event_trigger) AS triggers, (SELECT count(*)::int FROM pg_publication) AS publications";
      assert.deepEqual((await stage.query(stage.database, sql)).rows, [{ triggers: 1, publications: 1 }]);
      assert.deepEqual((await stage.query(stage.database, OUTSIDE)).rows, [
        { casts: 1, transforms: 1, methods: 1, wrappers: 1, mappings: 1 },
      ]);
    });

  it("leaves nothing in place of what the backup does not hold, in a schema or not", async () => {
    await using stage = await setRestoreStage();
    await stage.query(stage.database, `${OUTSIDE_OF_SCHEMAS}; ${FORBIDS_TO_DROP}`);
    const restore = await stage.start();

    await stage.readResult(restore.post({ filename: "latest", strategy: "in-place" }));

    assert.deepEqual((await stage.query(stage.database, OUTSIDE)).rows, [
      { casts: 0, transforms: 0, methods: 0, wrappers: 0, mappings: 0 },
    ]);
    const made = "SELECT FROM pg_extension WHERE extname <> 'plpgsql'";
    assert.equal((await stage.query(stage.database, made)).rowCount, 0);
  });

  for (const strategy of ["swap", "in-place"] as const)
    it(`fills a materialized view again that a policy shows a part of its table, by ${strategy}`, async () => {
      await using stage = await setRestoreStage({
        prepare: (server, database) => server.query(database, FILLED_UNDER_A_POLICY),
      });
      const restore = await stage.start();

      await stage.readResult(restore.post({ filename: "latest", strategy }));

      const { rows } = await stage.query(
        stage.database,
        "SELECT array_agg(n ORDER BY n) AS few FROM hire.few",
      );
      assert.deepEqual(rows, [{ few: [1, 2, 3] }]);
    });

  it("grants in place nothing that the live database grants by default, and the backup does not", async () => {
    await using stage = await setRestoreStage();
    const grants =
      "SELECT relname, relacl FROM pg_class WHERE relnamespace = 'hire'::regnamespace ORDER BY 1";
    const { rows: original } = await stage.query(stage.database, grants);
    for (const change of ["GRANT SELECT ON TABLES TO PUBLIC", "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"])
      await stage.query(stage.database, `ALTER DEFAULT PRIVILEGES FOR ROLE ${stage.owner} ${change}`);
    const restore = await stage.startAsOwner();

    await stage.readResult(restore.post({ filename: stage.backup.name, strategy: "in-place" }));

    assert.deepEqual((await stage.query(stage.database, grants)).rows, original);
    assert.equal((await stage.query(stage.database, "SELECT FROM pg_default_acl")).rowCount, 0);
  });

  it("does not wait for an autovacuum of the live database", async () => {
    await using server = await startPostgres({ autovacuum_naptime: "1s" });
    await using stage = await setRestoreStage({ server });
    const slow =
      "autovacuum_vacuum_threshold = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1";
    await stage.query(
      stage.database,
      `ALTER TABLE hire.equipment SET (${slow}); UPDATE hire.equipment SET notes = notes`,
    );
    const sql =
      "SELECT FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'autovacuum worker' AND query ~ 'hire.equipment'";
    await until(async () => (await server.query("postgres", sql, [stage.database])).rowCount === 1);
    const restore = await stage.start();

    await stage.readResult(restore.post({ filename: stage.backup.name }));

    assert.deepEqual(await stage.fingerprint(), stage.original);
  });
});
