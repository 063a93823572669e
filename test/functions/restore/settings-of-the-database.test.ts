import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
  type FunctionProcess,
} from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { fingerprint } from "../../support/sample-database.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

/** What an application has set for itself. */
const OF_DATABASE = [
  "SET TimeZone = 'America/Vancouver'",
  "SET DateStyle = 'SQL, DMY'",
  "SET IntervalStyle = sql_standard",
  "SET extra_float_digits = -3",
  "SET bytea_output = escape",
  "SET xmlbinary = hex",
  "SET default_text_search_config = 'german'",
  "SET transform_null_equals = on",
  "SET standard_conforming_strings = off",
  "SET app.tenant = 'north, and ''west'' \\ east'",
  "SET array_nulls = off",
  "SET statement_timeout = '5s'",
  "SET default_transaction_read_only = on",
];

/** Settings that hardly fit a role that takes backups, and each of them means something else for the content. */
const OF_ROLES = [
  "SET TimeZone = 'Asia/Kolkata'",
  "SET DateStyle = 'German, MDY'",
  "SET IntervalStyle = iso_8601",
  "SET extra_float_digits = 0",
  "SET bytea_output = hex",
  "SET default_text_search_config = 'english'",
  "SET array_nulls = off",
  "SET standard_conforming_strings = on",
  "SET transform_null_equals = off",
  "SET client_encoding = LATIN1",
  "SET quote_all_identifiers = on",
  "SET xmloption = document",
  "SET search_path = nowhere",
  "SET app.tenant = 'south'",
  "SET check_function_bodies = on",
  "SET lock_timeout = '1ms'",
  "SET statement_timeout = '1ms'",
  "SET idle_in_transaction_session_timeout = '20ms'",
  "SET idle_session_timeout = '20ms'",
  "SET default_transaction_isolation = serializable",
  "SET default_transaction_read_only = on",
  "SET default_transaction_deferrable = on",
  "SET gin_fuzzy_search_limit = 1",
];

/** Each row is right where the application works, and each view holds what it saw there. */
const CONTENT = String.raw`
CREATE TABLE visit (id int PRIMARY KEY, at timestamptz NOT NULL, day date NOT NULL, told text, tenant text,
  CHECK (day = at::date), CHECK (told::date = day), CHECK (tenant = current_setting('app.tenant')));
INSERT INTO visit SELECT i, t, t::date, t::date::text, current_setting('app.tenant')
  FROM (SELECT i, timestamptz '2026-03-04 00:30+00' + i * interval '5 hours' AS t FROM generate_series(0, 199) i) x;
CREATE TABLE odd (id int PRIMARY KEY, a text[], s interval, f float8, r real, b bytea, m money, w text, x xml, d date, z timetz);
INSERT INTO odd VALUES
  (1, ARRAY['NULL', NULL, 'a "b\'], '-1 year 2 mons -3 days 04:05:06.7', 1.0 / 3, 1.0 / 3, '\x00ff5c27', 12345.67,
    'Die Häuser der Städte 日本', '<a>b</a><c/>', '0044-03-15 BC', '12:30:00+05:30'),
  (2, ARRAY[NULL, 'null', ''], '1 mon -1 day', 'NaN', 'Infinity', '\x5c78', -0.01, 'houses running', 'text', '10000-01-02', '00:00-11'),
  (3, NULL, '-00:00:01', 5e-324, 1e38, '', NULL, 'x = NULL', NULL, 'infinity', NULL);
CREATE FUNCTION is_nothing(t text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT t = NULL); END $$;
CREATE FUNCTION escaped() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'a\tb'; END $$;
CREATE MATERIALIZED VIEW per_day AS SELECT at::date AS day, count(*) FROM visit GROUP BY 1;
CREATE MATERIALIZED VIEW seen AS SELECT id, s::text AS s, f::text AS f, r::text AS r, b::text AS b, d::text AS d, m::text AS m,
  to_tsvector(w)::text AS w, public.is_nothing(w) AS n, public.escaped() AS e, xmlelement(name e, b)::text AS x,
  current_setting('app.tenant') AS tenant FROM odd;`;

describe("a database whose settings decide what its values are", () => {
  const backupRole = `keeper_${process.pid}`;
  const restoreRole = `bringer_${process.pid}`;
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let manifest: BackupManifest;
  let original: Record<string, string>;
  let restore: FunctionProcess;

  const printOf = async (name: string) => {
    const client = await server.connect(name);
    try {
      await client.query("SET statement_timeout = 0");
      return await fingerprint(client);
    } finally {
      await client.end();
    }
  };
  const as = (role: string) => ({ POSTGRESQL_USER: role, POSTGRESQL_PASSWORD: role });

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    volume = await temporaryFolder();
    for (const sql of OF_DATABASE) await server.query("postgres", `ALTER DATABASE "${database}" ${sql}`);
    const client = await server.connect(database);
    await client.query(
      `SET default_transaction_read_only = off; SET statement_timeout = 0; SET array_nulls = on;
       SET standard_conforming_strings = on`,
    );
    await client.query(CONTENT);
    await client.end();
    // As the application would.
    await server.query(database, "BEGIN READ WRITE; REFRESH MATERIALIZED VIEW seen; COMMIT");
    for (const role of [backupRole, restoreRole]) {
      await server.query("postgres", `CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD '${role}'`);
      const known = OF_ROLES.filter((sql) => server.major >= 14 || !sql.includes("idle_session_timeout"));
      for (const sql of known) await server.query("postgres", `ALTER ROLE ${role} ${sql}`);
    }
    await server.query("postgres", `ALTER ROLE ${restoreRole} SET TimeZone = 'Asia/Tokyo'`);
    const environment = backupEnvironment(server, database, volume.path);
    await using backup = await startFunction("backup", { ...environment, ...as(backupRole) });
    manifest = await manifestOf(await backup.post());
    original = await printOf(database);
    restore = await startFunction("restore", {
      ...restoreEnvironment(server, database, volume.path),
      ...as(restoreRole),
    });
  });

  after(async () => {
    await restore[Symbol.asyncDispose]();
    const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
    for (const { datname } of (await server.query("postgres", sql, [database])).rows as { datname: string }[])
      await server.dropDatabase(datname);
    for (const role of [backupRole, restoreRole]) await server.query("postgres", `DROP ROLE ${role}`);
    await volume[Symbol.asyncDispose]();
  });

  it("has them noted beside its dump, as it works and not as the role that backs up", () => {
    const { TimeZone, DateStyle, "app.tenant": tenant, lc_monetary: money } = manifest.settings ?? {};

    assert.deepEqual(
      { TimeZone, DateStyle, tenant },
      {
        TimeZone: "America/Vancouver",
        DateStyle: "SQL, DMY",
        tenant: String.raw`north, and 'west' \ east`,
      },
    );
    assert.ok(money !== undefined);
  });

  for (const body of [
    { into: "scratch" },
    { into: "beside" },
    { strategy: "swap" },
    { strategy: "in-place" },
  ])
    it(`comes back by value: ${JSON.stringify(body)}`, async () => {
      const into = body.into === "beside" ? { into: `${database}_beside` } : {};
      const answer = await restore.post({ filename: manifest.name, ...body, ...into });

      assert.equal(answer.status, 200, await answer.text());
      assert.deepEqual(await printOf(into.into ?? database), original);
    });

  it("comes back by value from a backup that notes no settings, as long as the database is there", async () => {
    const path = join(volume.path, `${manifest.name}.json`);
    const whole = await readFile(path, "utf8");
    const { settings: _, properties: __, ...old } = JSON.parse(whole) as BackupManifest;
    await writeFile(path, JSON.stringify(old));
    const into = `${database}_old`;

    const answer = await restore.post({ filename: manifest.name, into });

    await writeFile(path, whole);
    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(await printOf(into), original);
  });

  it("comes back by value by the command of its manifest, run by a shell", async () => {
    const path = `${server.binDir}:${process.env["PATH"]}`;
    const idle = server.major >= 14 ? "-c idle_session_timeout=0" : "";
    const env = {
      PATH: path,
      PGHOST: server.host,
      PGPORT: `${server.port}`,
      PGUSER: restoreRole,
      PGPASSWORD: restoreRole,
      PGOPTIONS: `-c statement_timeout=0 -c lock_timeout=0 ${idle} -c default_transaction_read_only=off`,
    };
    await execa("sh", ["-c", manifest.restoreByHand], { cwd: volume.path, env });

    assert.deepEqual(await printOf(`${database}_restored`), original);
  });
});
