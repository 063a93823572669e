import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { sharedServer, type TestServer } from "../../../support/postgres.ts";
import { askPlan } from "../../../support/restore-plan.ts";
import { setRestoreStage, type RestoreStage } from "../../../support/restore-stage.ts";

type Problem = { readonly detail: string; readonly hint: string };

const OF_A_SUPERUSER = `CREATE SCHEMA helpers; CREATE TABLE helpers.metric (n int); INSERT INTO helpers.metric VALUES (1);
  CREATE FOREIGN DATA WRAPPER away; CREATE SERVER far FOREIGN DATA WRAPPER away`;
/** As rows are that were loaded while triggers were off. */
const BROKEN_KEY = `CREATE TABLE hire.whole (id int PRIMARY KEY);
  CREATE TABLE hire.part (id int); INSERT INTO hire.part VALUES (7);
  SET session_replication_role = replica;
  ALTER TABLE hire.part ADD CONSTRAINT part_of FOREIGN KEY (id) REFERENCES hire.whole NOT VALID;
  UPDATE pg_constraint SET convalidated = true WHERE conname = 'part_of'`;

/** The backup is taken by a role that row security never holds back. */
const FORCED = `CREATE TABLE hire.forced AS SELECT n FROM generate_series(1, 30) n;
  ALTER TABLE hire.forced ENABLE ROW LEVEL SECURITY; ALTER TABLE hire.forced FORCE ROW LEVEL SECURITY;
  CREATE POLICY none ON hire.forced USING (false);
  DO $$ BEGIN EXECUTE format('ALTER TABLE hire.forced OWNER TO %s',
    (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'hire')); END $$`;
const IMPOSSIBLE = [
  {
    what: "a key that rows break",
    prepare: BROKEN_KEY,
    named: "FK CONSTRAINT part part_of",
    content: `SELECT (SELECT count(*)::int FROM hire.part) AS rows,
      (SELECT count(*)::int FROM pg_constraint WHERE conname = 'part_of') AS keys`,
    left: { rows: 1, keys: 0 },
  },
  {
    what: "rows that a CHECK refuses",
    prepare: `CREATE TABLE hire.refused (n int); INSERT INTO hire.refused VALUES (1);
      ALTER TABLE hire.refused ADD CONSTRAINT large CHECK (n > 5) NOT VALID;
      UPDATE pg_constraint SET convalidated = true WHERE conname = 'large'`,
    named: "TABLE DATA refused",
    content: "SELECT count(*)::int AS rows FROM hire.refused",
    left: { rows: 0 },
  },
];

/** The entry that an error names, as it names it. */
function entryIn({ detail }: Problem, named: string): string {
  const entry = new RegExp(`\\(TOC entry ("\\d+; \\d+ \\d+ ${named} .*?")\\)`).exec(detail)?.[1];
  assert.ok(entry !== undefined, detail);
  return JSON.parse(entry) as string;
}

describe("what a caller asks of a load", () => {
  let stage: RestoreStage;

  afterEach(() => stage[Symbol.asyncDispose]());

  it("gives all to the role that restores, and leaves out what it may not make", async () => {
    stage = await setRestoreStage({ prepare: (server, database) => server.query(database, OF_A_SUPERUSER) });
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB`);
    const restore = await stage.startAsOwner();
    const asked = { filename: stage.backup.name };
    const leaveOut = ["FOREIGN DATA WRAPPER - away postgres", "SERVER - far postgres"];

    const plain = await askPlan(restore, asked);
    const current = await askPlan(restore, { ...asked, owner: "current" });
    const both = await askPlan(restore, { ...asked, owner: "current", leaveOut });
    const result = await stage.readResult(restore.post({ ...asked, owner: "current", leaveOut }));

    assert.deepEqual(
      [plain, current, both].map(({ blockers }) => blockers.map(({ kind }) => kind)),
      [["owners-forbidden", "objects-forbidden"], ["objects-forbidden"], []],
    );
    assert.match(plain.blockers[0]?.names.join() ?? "", /^postgres \(.*SCHEMA helpers/);
    const told = [/all belongs to the role that restores/, /left out: .*away/, /left out: .*far/];
    for (const words of told) {
      assert.match(both.warnings.join("\n"), words);
      assert.match(result.warnings.join("\n"), words);
    }
    const { rows } = await stage.query(
      stage.database,
      "SELECT tableowner AS owner, (SELECT count(*)::int FROM helpers.metric) AS rows FROM pg_tables WHERE schemaname = 'helpers'",
    );
    assert.deepEqual(rows, [{ owner: stage.owner, rows: 1 }]);
  });

  for (const { what, prepare, named, content, left } of IMPOSSIBLE)
    it(`names the entry that cannot be restored, and does without it: ${what}`, async () => {
      stage = await setRestoreStage({ prepare: (server, database) => server.query(database, prepare) });
      const restore = await stage.start();
      const failed = (await (await restore.post({ filename: "latest" })).json()) as Problem;
      const entry = entryIn(failed, named);
      assert.match(failed.hint, /leaveOut/);

      for (const strategy of ["swap", "in-place"]) {
        const asked = { filename: stage.backup.name, strategy, leaveOut: [entry] };
        const result = await stage.readResult(restore.post(asked));

        assert.ok(result.warnings.includes(`left out: ${entry}`));
        assert.deepEqual((await stage.query(stage.database, content)).rows, [left]);
      }
    });

  it("refuses an entry that the archive does not have, before anything is touched", async () => {
    stage = await setRestoreStage();
    const restore = await stage.start();

    const answer = await restore.post({ filename: "latest", leaveOut: ["TABLE hire nothing nobody"] });

    const problem = await answer.text();
    assert.equal(answer.status, 422, problem);
    assert.match(problem, /TABLE hire nothing nobody/);
    assert.deepEqual(await stage.databases(), [stage.database]);
  });

  it("restores what row security hides from its owner, and says where a safety backup could not hold it", async () => {
    stage = await setRestoreStage({ prepare: (server, database) => server.query(database, FORCED) });
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB`);
    const restore = await stage.startAsOwner();
    const inPlace = { filename: stage.backup.name, strategy: "in-place" };

    const blocked = await restore.post(inPlace);
    const said = await blocked.text();
    const { backups } = (await (await restore.get("/")).json()) as { readonly backups: readonly unknown[] };
    await stage.query("postgres", `ALTER ROLE ${stage.owner} BYPASSRLS`);
    await stage.readResult(restore.post(inPlace));
    await stage.query("postgres", `ALTER ROLE ${stage.owner} NOBYPASSRLS`);
    const swapped = await stage.readResult(restore.post({ ...inPlace, strategy: "swap" }));

    assert.equal(blocked.status, 422, said);
    assert.match(said, /safety backup.+hire\.forced.+BYPASSRLS/);
    assert.equal(backups.length, 1);
    assert.equal(swapped.compared?.rows, stage.backup.content.rows);
  });

  it("does not begin with fewer connections than it loads with, and does with enough", async () => {
    stage = await setRestoreStage();
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB CONNECTION LIMIT 4`);
    const own = { POSTGRESQL_USER: stage.owner, POSTGRESQL_PASSWORD: stage.owner, RESTORE_JOBS: "4" };
    const restore = await stage.start(own);
    const asked = { filename: stage.backup.name, into: "scratch" };

    const few = await askPlan(restore, asked);
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CONNECTION LIMIT 5`);
    const scarce = await askPlan(restore, asked);
    await stage.readResult(restore.post(asked));

    assert.deepEqual(
      few.blockers.map(({ kind, names }) => [kind, names]),
      [["connections-few", ["4"]]],
    );
    assert.deepEqual(scarce.blockers, []);
    assert.match(scarce.warnings.join("\n"), /may have 5 sessions at once, of which the load takes 4/);
  });

  it("leaves a materialized view empty whose foreign server is away", async () => {
    const server = await sharedServer();
    const far = await server.createDatabase();
    await server.query(far, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    stage = await setRestoreStage({
      prepare: (_, database) => server.query(database, filledFrom(server, far)),
    });
    await server.dropDatabase(far);
    const restore = await stage.start();

    const failed = (await (await restore.post({ filename: "latest" })).json()) as Problem;
    const entry = entryIn(failed, "MATERIALIZED VIEW DATA of_far");
    await stage.readResult(restore.post({ filename: "latest", leaveOut: [entry] }));

    const sql = "SELECT ispopulated FROM pg_matviews WHERE matviewname = 'of_far'";
    assert.deepEqual((await stage.query(stage.database, sql)).rows, [{ ispopulated: false }]);
  });
});

function filledFrom({ host, port, user, password }: TestServer, database: string): string {
  return `CREATE EXTENSION postgres_fdw;
    CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '${host}', port '${port}', dbname '${database}');
    CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user '${user}', password '${password}');
    CREATE FOREIGN TABLE hire.far (n int) SERVER far OPTIONS (schema_name 'public', table_name 't');
    CREATE MATERIALIZED VIEW hire.of_far AS SELECT * FROM hire.far`;
}
