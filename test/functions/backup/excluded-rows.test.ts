import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { RestoreResult } from "../../../functions/restore/journal/restore-result.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

const EXCLUDE = `audit.*, "Odd ""Names""".*, nothing_*`;

describe("rows that a backup leaves out", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let environment: Readonly<Record<string, string>>;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    volume = await temporaryFolder();
    await server.query(
      database,
      `CREATE SCHEMA audit; CREATE SCHEMA "Odd ""Names""";
       CREATE TABLE person (id int PRIMARY KEY); INSERT INTO person SELECT generate_series(1, 10);
       CREATE TABLE hire (person int REFERENCES person); INSERT INTO hire SELECT 1 + n % 10 FROM generate_series(1, 500) n;
       CREATE TABLE audit.log (id serial, what text); INSERT INTO audit.log (what) SELECT repeat('x', 50) FROM generate_series(1, 900);
       CREATE TABLE "Odd ""Names"""."a.b" (a int); INSERT INTO "Odd ""Names"""."a.b" VALUES (1)`,
    );
    environment = {
      ...backupEnvironment(server, database, volume.path),
      EXCLUDE_TABLE_DATA: EXCLUDE,
    };
  });
  after(async () => {
    await server.dropDatabase(database);
    await volume[Symbol.asyncDispose]();
  });

  const tables = ({ content }: BackupManifest) => content.tables.map(({ name, rows }) => [name, rows]);
  const take = async (body: object = {}) => {
    await using backup = await startFunction("backup", environment);
    return await manifestOf(await backup.post(body));
  };

  it("are listed in the manifest, with the size of each table", async () => {
    const { excluded, warnings, ...manifest } = await take();

    assert.deepEqual(tables({ ...manifest, warnings }), [
      ["hire", 500],
      ["person", 10],
    ]);
    assert.equal(excluded?.by, "configuration");
    assert.deepEqual(
      excluded?.tables.map(({ schema, name, bytes }) => [schema, name, bytes > 0]),
      [
        ["audit", "log", true],
        [`Odd "Names"`, "a.b", true],
      ],
    );
    assert.deepEqual(warnings, ["the pattern nothing_* leaves out no table's rows"]);
  });

  it("are empty tables after a restore, which the plan names before and the comparison expects", async () => {
    await take();
    await using restore = await startFunction("restore", restoreEnvironment(server, database, volume.path));
    const plan = await askPlan(restore, { filename: "latest" });

    for (const strategy of ["swap", "in-place"]) {
      const answer = await restore.post({ filename: "latest", strategy });
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      assert.deepEqual((JSON.parse(text) as RestoreResult).compared, { tables: 4, rows: 510, by: "counts" });
      const { rows } = await server.query(
        database,
        "SELECT (SELECT count(*)::int FROM audit.log) AS log, (SELECT count(*)::int FROM hire) AS hire, nextval('audit.log_id_seq')::int AS next",
      );
      assert.deepEqual(rows, [{ log: 0, hire: 500, next: 901 }]);
      await server.query(
        database,
        "INSERT INTO audit.log (id, what) SELECT n, 'x' FROM generate_series(1, 900) n",
      );
    }

    assert.match(
      plan.warnings.join(),
      /table audit\.log will be empty: its rows \(\d+ bytes\) were left out/,
    );
    assert.match(plan.warnings.join(), /table Odd "Names"\.a\.b will be empty/);
  });

  it("differ from the backup where there are some after a load", async () => {
    await server.query(
      database,
      `CREATE FUNCTION fill() RETURNS bool LANGUAGE sql AS $$ INSERT INTO audit.log (what) VALUES ('x') RETURNING true $$;
       CREATE TABLE checked (a int CHECK (public.fill())); INSERT INTO checked VALUES (1)`,
    );
    await take();
    await using restore = await startFunction("restore", restoreEnvironment(server, database, volume.path));

    const answer = await restore.post({ filename: "latest", into: "scratch" });

    await server.query(database, "DROP TABLE checked; DROP FUNCTION fill");
    assert.match(await answer.text(), /rows_differ.*audit\.log has \d+ rows instead of 0/);
  });

  it("are no rows to which a foreign key of others refers", async () => {
    await using backup = await startFunction("backup", environment);

    const answer = await backup.post({ excludeTableData: ["person"] });

    assert.equal(answer.status, 422);
    const { code, detail } = (await answer.json()) as { code: string; detail: string };
    assert.equal(code, "exclusion_invalid");
    assert.match(detail, /hire_person_fkey of public\.hire refers to public\.person/);
    assert.equal((await backup.post({ excludeTableData: ["person", "hire"] })).status, 200);
  });

  it("are chosen by a request for its own backup alone: none leaves all in, and no event chooses", async () => {
    const whole = await take({ excludeTableData: [] });
    await using backup = await startFunction("backup", { ...environment, MIN_INTERVAL_MINUTES: "60" });
    const bad = await backup.post({ excludeTableData: ['"open'] });
    const event = await backup.ping({ data: { excludeTableData: ["*"] } });

    assert.equal(whole.excluded, undefined);
    assert.equal(tables(whole).length, 4);
    assert.equal(bad.status, 400);
    assert.equal(event.status, 400);
  });

  it("left out by a request make a backup that takes no other's place", async () => {
    await using elsewhere = await temporaryFolder();
    const env = { ...environment, BACKUP_DIR: elsewhere.path, MIN_INTERVAL_MINUTES: "60" };
    await using backup = await startFunction("backup", env);
    await using restore = await startFunction(
      "restore",
      restoreEnvironment(server, database, elsewhere.path),
    );
    const nightly = await manifestOf(await backup.post());
    const partial = await manifestOf(await backup.post({ excludeTableData: ["*.*"] }));

    const plan = await askPlan(restore, { filename: "latest" });
    const found = await manifestOf(await backup.post({ ifOlderThan: "1h" }));

    assert.equal(partial.content.rows, 0);
    assert.equal(plan.backup?.name, nightly.name);
    assert.equal(found.name, nightly.name);
  });

  for (const [encoding, hex] of [
    ["LATIN1", "6772f6df65"],
    ["SQL_ASCII", "6772f6df65"],
  ] as const)
    it(`are in the backup where pg_dump cannot be given the name of a table in ${encoding}, which it warns of`, async () => {
      const name = `excluded_${process.pid}_${encoding.toLowerCase()}`;
      const options = `TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`;
      await server.query("postgres", `CREATE DATABASE ${name} ${options}`);
      await server.query(
        name,
        `CREATE SCHEMA audit; CREATE TABLE audit.log AS SELECT 1 AS a; DO $$ BEGIN EXECUTE format('CREATE TABLE audit.%I AS SELECT 1 AS a',
           convert_from('\\x${hex}', getdatabaseencoding())); END $$`,
      );
      await using folder = await temporaryFolder();
      await using backup = await startFunction("backup", {
        ...backupEnvironment(server, name, folder.path),
        EXCLUDE_TABLE_DATA: "audit.*",
      });

      const { excluded, content, warnings } = await manifestOf(await backup.post());

      assert.deepEqual(
        [excluded?.tables.map((table) => table.name), content.tables.map(({ rows }) => rows)],
        [["log"], [1]],
      );
      assert.match(warnings.join(), /the rows of audit\..+ are in the backup/);
      await using restore = await startFunction("restore", restoreEnvironment(server, name, folder.path));
      const answer = await restore.post({ filename: "latest", into: "scratch" });
      assert.equal(answer.status, 200, await answer.text());
      await server.dropDatabase(name);
    });
});
