import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import { problemIn } from "../../support/faulty.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
  type FunctionProcess,
} from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { fingerprint } from "../../support/sample-database.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

/** Each event of DDL leaves a row, also in replication sessions; so does each that an extension could not keep quiet. */
const AUDITED = `
  CREATE SCHEMA audit; CREATE TABLE audit.ddl (at timestamptz DEFAULT now(), tag text);
  CREATE FUNCTION audit.note() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO audit.ddl (tag) VALUES (tg_tag); END $$;
  CREATE EVENT TRIGGER note_ddl ON ddl_command_end EXECUTE FUNCTION audit.note();
  CREATE EVENT TRIGGER "note; 1 EVENT TRIGGER" ON ddl_command_start EXECUTE FUNCTION audit.note();
  ALTER EVENT TRIGGER note_ddl ENABLE ALWAYS;
  COMMENT ON EVENT TRIGGER note_ddl IS 'notes';
  CREATE TABLE person (id int PRIMARY KEY, town text);
  INSERT INTO person SELECT i, 'town ' || i % 5 FROM generate_series(1, 100) i;
  CREATE MATERIALIZED VIEW by_town AS SELECT town, count(*) FROM person GROUP BY 1;
  CREATE MATERIALIZED VIEW by_id AS SELECT id FROM person;
  CREATE INDEX ON by_id (id);`;

/** A row of `first` is there before the second table's only if one is loaded after the other. */
const NEEDS = `
  CREATE TABLE a_parent (id int PRIMARY KEY, CHECK (pg_sleep(0.002)::text = ''));
  INSERT INTO a_parent SELECT generate_series(1, 800);
  CREATE FUNCTION is_there(wanted int) RETURNS boolean LANGUAGE sql AS
    $$ SELECT EXISTS (SELECT FROM public.a_parent WHERE id = wanted) $$;
  CREATE TABLE b_child (id int CHECK (public.is_there(id)));
  INSERT INTO b_child VALUES (800), (1);`;

/** Neither can be first. */
const MUTUAL = `
  CREATE TABLE hen (id int); CREATE TABLE egg (id int); INSERT INTO hen VALUES (1); INSERT INTO egg VALUES (1);
  CREATE FUNCTION has_hen() RETURNS boolean LANGUAGE sql AS $$ SELECT EXISTS (SELECT FROM public.hen) $$;
  CREATE FUNCTION has_egg() RETURNS boolean LANGUAGE sql AS $$ SELECT EXISTS (SELECT FROM public.egg) $$;
  ALTER TABLE hen ADD CHECK (public.has_egg()); ALTER TABLE egg ADD CHECK (public.has_hen());`;

const PARTICULAR = `
  CREATE FUNCTION choosy() RETURNS name LANGUAGE plpgsql AS $$ BEGIN
    IF current_database() LIKE '%restore%' THEN RAISE EXCEPTION 'no way'; END IF;
    RETURN current_database(); END $$;
  CREATE MATERIALIZED VIEW particular AS SELECT public.choosy();`;

const WRITES = `
  CREATE TABLE log (at timestamptz);
  CREATE FUNCTION logged() RETURNS int LANGUAGE sql AS $$ INSERT INTO public.log VALUES (now()) RETURNING 1 $$;
  CREATE MATERIALIZED VIEW costly AS SELECT public.logged();`;

describe("what a load makes by chance", () => {
  let server: TestServer;
  const open: (Removed | FunctionProcess)[] = [];
  const made: string[] = [];

  before(async () => {
    server = await sharedServer();
  });

  after(async () => {
    for (const each of open) await each[Symbol.asyncDispose]();
    for (const name of made) {
      const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
      const { rows } = await server.query("postgres", sql, [name]);
      for (const { datname } of rows as { datname: string }[]) await server.dropDatabase(datname);
    }
  });

  async function backedUp(content: string) {
    const database = await server.createDatabase();
    const volume = await temporaryFolder();
    await server.query(database, content);
    {
      await using backup = await startFunction("backup", backupEnvironment(server, database, volume.path));
      await manifestOf(await backup.post());
    }
    const environment = { ...restoreEnvironment(server, database, volume.path), RESTORE_JOBS: "4" };
    const restore = await startFunction("restore", environment);
    open.push(restore, volume);
    made.push(database);
    return { database, restore, path: volume.path };
  }

  async function stateOf(database: string) {
    const client = await server.connect(database);
    const triggers = `SELECT evtname, evtenabled, obj_description(oid, 'pg_event_trigger') AS comment
      FROM pg_event_trigger ORDER BY 1`;
    try {
      return { rows: await fingerprint(client), triggers: (await client.query(triggers)).rows };
    } finally {
      await client.end();
    }
  }

  it("is nothing of event triggers: they are there afterwards, and have not fired", async () => {
    const { database, restore } = await backedUp(AUDITED);
    const original = await stateOf(database);

    for (const body of [{ into: "scratch" }, { strategy: "swap" }, { strategy: "in-place" }]) {
      const answer = await restore.post({ filename: "latest", ...body });

      assert.equal(answer.status, 200, await answer.text());
      assert.deepEqual(await stateOf(database), original);
    }
  });

  it("is nothing of one that fires at each login, also of those that count and compare", async (test) => {
    if (server.major < 17) return test.skip("there are none before 17");
    const { database, restore } = await backedUp(`
      CREATE TABLE login (at timestamptz DEFAULT now(), who text);
      CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.login (who) VALUES (session_user); END $$;
      CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION note_login();
      ALTER EVENT TRIGGER at_login ENABLE ALWAYS; INSERT INTO login (who) VALUES ('the first')`);

    for (const body of [{ into: "scratch" }, { compare: "values" }, { strategy: "in-place" }]) {
      const answer = await restore.post({ filename: "latest", ...body });

      assert.equal(answer.status, 200, await answer.text());
    }
    const { rows } = await server.query(database, "SELECT evtname FROM pg_event_trigger");
    assert.deepEqual(rows, [{ evtname: "at_login" }]);
  });

  it("has a warning in its plan if the role cannot keep event triggers quiet", async () => {
    const { database, path } = await backedUp(AUDITED);
    const role = `quiet_${process.pid}`;
    await server.query("postgres", `CREATE ROLE ${role} LOGIN PASSWORD '${role}'`);
    await server.query("postgres", `ALTER DATABASE ${database} OWNER TO ${role}`);
    await using restore = await startFunction("restore", {
      ...restoreEnvironment(server, database, path),
      POSTGRESQL_USER: role,
      POSTGRESQL_PASSWORD: role,
    });

    const { warnings } = await askPlan(restore, { filename: "latest", strategy: "in-place" });

    await server.query("postgres", `ALTER DATABASE ${database} OWNER TO postgres`);
    await server.query("postgres", `DROP ROLE ${role}`);
    assert.match(warnings.join("; "), /event trigger note_ddl fires for what is replaced, and may write/);
  });

  it("is nothing of event triggers in a file of the old pod either", async () => {
    // One that fires even in replication sessions cannot be kept quiet by a script.
    const { database, restore, path } = await backedUp(
      AUDITED.replace("ALTER EVENT TRIGGER note_ddl ENABLE ALWAYS;", ""),
    );
    const { host, port, user, password, binDir } = server;
    const env = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password, PGDATABASE: database };
    const { stdout } = await execa(`${binDir}/pg_dump`, [], { env });
    const name = `2020-11-20/${database}2020-11-20-01-00.bak`;
    await mkdir(join(path, "2020-11-20"));
    await writeFile(join(path, name), `${stdout}\n`);
    const original = await stateOf(database);

    const answer = await restore.post({ filename: name });

    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(await stateOf(database), original);
  });

  it("is tried again alone: a CHECK that reads a table which another job loads", async () => {
    const { database, restore } = await backedUp(NEEDS);
    const original = await stateOf(database);

    const answer = await restore.post({ filename: "latest" });

    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(await stateOf(database), original);
  });

  for (const [content, named] of [
    [MUTUAL, /COPY failed for table "(?:hen|egg)"/],
    [PARTICULAR, /at REFRESH MATERIALIZED VIEW public.particular; \(TOC entry ".+"\): .*no way/],
  ] as const)
    it(`is refused by name where no order of pg_restore can make it: ${named}`, async () => {
      const { database, restore } = await backedUp(content);
      const original = await stateOf(database);

      const { code, detail, hint } = await problemIn(restore.post({ filename: "latest" }));

      assert.equal(code, "restore_failed");
      assert.match(detail, named);
      assert.match(hint ?? "", /restore by hand in another order/);
      assert.deepEqual(await stateOf(database), original);
    });

  for (const strategy of ["swap", "in-place"])
    it(`is reported as such if there are more rows than the backup has: ${strategy}`, async () => {
      const { restore } = await backedUp(WRITES);

      const { code, detail, hint } = await problemIn(restore.post({ filename: "latest", strategy }));

      assert.equal(code, "rows_differ");
      assert.match(detail, /log has 2 rows instead of 1, 1 of them written while it was loaded/);
      assert.match(hint ?? "", /a function that a CHECK, an index, a materialized view/);
    });
});
