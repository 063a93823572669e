import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, describe, it } from "node:test";
import { execa } from "execa";
import pg from "pg";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { startPostgres, type OwnServer } from "../../support/postgres.ts";
import { fingerprint } from "../../support/sample-database.ts";
import { temporaryFolder } from "../../support/volume.ts";

const OWN = `met_${randomBytes(4).toString("hex")}`;
const OWNER = `${OWN}_owner`;
const POWERLESS = `${OWN}_powerless`;
const KEEPER = `${OWN}_keeper`;
const BRINGER = `${OWN}_bringer`;

/** Each row is right for the owner of the database, whose sessions have these settings. */
const CHECKED = `CREATE TABLE person (id int PRIMARY KEY, tenant text CHECK (tenant = current_setting('app.tenant')));
  INSERT INTO person SELECT i, current_setting('app.tenant') FROM generate_series(1, 9) i;
  CREATE MATERIALIZED VIEW seen AS SELECT current_setting('app.tenant') AS tenant`;

/** Only a superuser or the owner may read and make it. */
const CLOSED = `CREATE SCHEMA shut; CREATE TABLE shut.person (id int PRIMARY KEY); INSERT INTO shut.person VALUES (1);
  SELECT lo_from_bytea(4711, 'x')`;

/** Catalogs of the server that have an empty table of the same name before them. */
const SHADOWED = [
  "pg_database",
  "pg_namespace",
  "pg_event_trigger",
  "pg_extension",
  "pg_db_role_setting",
  "pg_roles",
];
/** Functions of the server, each with a namesake that must not run; a superuser's session would run it with all its rights. */
const TRAPS = [
  "current_database() RETURNS name",
  "pg_backend_pid() RETURNS int",
  "set_config(text, text, boolean) RETURNS text",
  "current_setting(text) RETURNS text",
  "pg_get_userbyid(oid) RETURNS name",
  "format(text, VARIADIC name[]) RETURNS text",
];
const SHADOWS = `CREATE SCHEMA shadow; CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept SELECT generate_series(1, 9);
  ${SHADOWED.map((name) => `CREATE TABLE shadow.${name} (LIKE pg_catalog.${name})`).join("; ")};
  ${TRAPS.map((made) => `CREATE FUNCTION shadow.${made} LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END'`).join("; ")};
  CREATE FUNCTION shadow.never(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT false';
  CREATE OPERATOR shadow.= (LEFTARG = name, RIGHTARG = name, FUNCTION = shadow.never);
  CREATE DOMAIN shadow.text AS pg_catalog.text CHECK (false)`;

type Case = {
  readonly what: string;
  /** By a superuser, once the roles and the database are there. */
  readonly settings: string;
  /** By the owner in the database, or by a superuser that becomes it. */
  readonly content: string;
  readonly bySuperuser?: boolean;
};

const CASES: readonly Case[] = [
  {
    what: "settings that the owner alone has, beyond ASCII",
    settings: `ALTER ROLE :owner SET app.tenant = E'größe à 日本 \\\\ \\t''x'''; ALTER ROLE :owner SET "app.größe" = 'ü'`,
    content: CHECKED.replaceAll(
      "current_setting('app.tenant')",
      "current_setting('app.tenant') || current_setting('app.größe')",
    ),
  },
  {
    what: "more settings of the owner than a session can be begun with, which the database has too",
    settings: `ALTER DATABASE :db SET app.tenant = '${"x".repeat(9_000)}'; ALTER ROLE :owner SET app.other = 'y'`,
    content: CHECKED.replaceAll(
      "current_setting('app.tenant')",
      "current_setting('app.tenant') || current_setting('app.other')",
    ),
    bySuperuser: true,
  },
  {
    what: "a role that the database gives to each session",
    settings: `ALTER DATABASE :db SET role = ${POWERLESS}`,
    content: CLOSED,
    bySuperuser: true,
  },
  {
    what: "a role that our own role is given in each session",
    settings: `ALTER ROLE ${KEEPER} SET role = ${POWERLESS}; ALTER ROLE ${BRINGER} SET role = ${POWERLESS}`,
    content: CLOSED,
    bySuperuser: true,
  },
  {
    what: "a role that the database gives to each session, and our roles may become",
    settings: `ALTER DATABASE :db SET role = ${POWERLESS}; GRANT ${POWERLESS} TO ${KEEPER}, ${BRINGER}`,
    content: CLOSED.replace(/SELECT lo.*/, ""),
  },
  {
    what: "settings of a library, which superusers alone set",
    settings: `ALTER ROLE :owner SET auto_explain.log_min_duration = '1h'; ALTER ROLE :owner SET app.tenant = 'x'`,
    content: CHECKED,
  },
  {
    what: "a search path in which namesakes of what the server has come before it",
    settings: "ALTER DATABASE :db SET search_path = shadow, pg_catalog, public",
    content: SHADOWS,
    bySuperuser: true,
  },
  {
    what: "limits, isolation and libraries that are meant for applications",
    settings: [
      "DATABASE :db SET default_transaction_isolation = serializable",
      "DATABASE :db SET default_transaction_deferrable = on",
      "DATABASE :db SET row_security = off",
      "DATABASE :db SET session_preload_libraries = auto_explain",
      ...[KEEPER, BRINGER].flatMap((role) => [
        `ROLE ${role} SET statement_timeout = '1ms'`,
        `ROLE ${role} SET lock_timeout = '1ms'`,
        `ROLE ${role} SET default_transaction_read_only = on`,
        `ROLE ${role} SET default_transaction_isolation = 'repeatable read'`,
        `ROLE ${role} SET search_path = nowhere`,
      ]),
    ]
      .map((each) => `ALTER ${each}`)
      .join("; "),
    content: CHECKED.replaceAll("current_setting('app.tenant')", "'north'::text"),
    // Who may set such a library.
    bySuperuser: true,
  },
];

describe("what the sessions of a backup and a restore meet", () => {
  let server: OwnServer;
  before(async () => {
    server = await startPostgres({ shared_preload_libraries: "auto_explain" });
  });
  after(() => server[Symbol.asyncDispose]());

  async function printOf(database: string): Promise<Record<string, string>> {
    const { host, port, user, password } = server;
    // As it is, whatever it makes of a session.
    const client = new pg.Client({
      host,
      port,
      user,
      password,
      database,
      options: "-c role=none -c search_path=",
    });
    await client.connect();
    try {
      return await fingerprint(client);
    } finally {
      await client.end();
    }
  }

  async function make({ settings, content, bySuperuser = false }: Case): Promise<string> {
    const database = await server.createDatabase();
    const kind = bySuperuser ? "SUPERUSER" : "";
    await server.query(
      "postgres",
      `CREATE ROLE ${OWNER}; CREATE ROLE ${POWERLESS}; ALTER DATABASE ${database} OWNER TO ${OWNER};
       CREATE ROLE ${KEEPER} LOGIN PASSWORD 'x' ${kind}; CREATE ROLE ${BRINGER} LOGIN PASSWORD 'x' CREATEDB ${kind};
       GRANT ${OWNER} TO ${KEEPER}, ${BRINGER}`,
    );
    for (const sql of settings.split("; "))
      await server.query("postgres", sql.replaceAll(":db", database).replaceAll(":owner", OWNER));
    // As the application would work: with the settings of its own role.
    await server.query("postgres", `ALTER ROLE ${OWNER} LOGIN PASSWORD 'x'`);
    const { host, port, binDir } = server;
    const env = { PGHOST: host, PGPORT: `${port}`, PGUSER: OWNER, PGPASSWORD: "x", PGDATABASE: database };
    await execa(`${binDir}/psql`, ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", content], {
      env: { ...env, PGCLIENTENCODING: "UTF8" },
    });
    return database;
  }

  afterEach(async () => {
    const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, 'test_')";
    for (const { datname } of (await server.query("postgres", sql)).rows as { datname: string }[])
      await server.dropDatabase(datname);
    await server.query("postgres", `DROP ROLE IF EXISTS ${KEEPER}, ${BRINGER}, ${OWNER}, ${POWERLESS}`);
  });

  for (const given of CASES)
    it(`changes nothing of what is backed up and comes back: ${given.what}`, async () => {
      const database = await make(given);
      await using volume = await temporaryFolder();
      const as = (role: string) => ({ POSTGRESQL_USER: role, POSTGRESQL_PASSWORD: "x" });
      const original = await printOf(database);
      const outcomes: unknown[] = [];

      await using backup = await startFunction("backup", {
        ...backupEnvironment(server, database, volume.path),
        ...as(KEEPER),
      });
      const manifest = await manifestOf(await backup.post());
      await using restore = await startFunction("restore", {
        ...restoreEnvironment(server, database, volume.path),
        ...as(BRINGER),
      });
      for (const body of [{ strategy: "swap" }, { strategy: "in-place" }]) {
        // Before 15 a dump does not say whose it is.
        if (server.major < 15)
          await server.query(database, `SET ROLE NONE; ALTER SCHEMA public OWNER TO ${OWNER}`);
        const answer = await restore.post({ filename: manifest.name, ...body });
        outcomes.push(answer.status === 200 ? 200 : await answer.text(), await printOf(database));
      }
      // Its sessions are the operator's own.
      const login =
        given.bySuperuser === true
          ? { PGUSER: server.user, PGPASSWORD: server.password }
          : { PGUSER: BRINGER, PGPASSWORD: "x" };
      const env = {
        PATH: `${server.binDir}:${process.env["PATH"]}`,
        PGHOST: server.host,
        PGPORT: `${server.port}`,
        ...login,
      };
      const byHand = await execa("sh", ["-c", manifest.restoreByHand], {
        cwd: volume.path,
        env,
        reject: false,
      });

      assert.deepEqual(outcomes, [200, original, 200, original]);
      assert.equal(byHand.exitCode, 0, byHand.stderr);
      assert.deepEqual(await printOf(`${database}_restored`), original);
    });
});
