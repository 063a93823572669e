import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setRestoreStage, type RestoreStage } from "../../../support/restore-stage.ts";

type Plan = {
  readonly blockers: readonly { readonly kind: string; readonly names: readonly string[] }[];
  readonly warnings: readonly string[];
};

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
const PARTS_AND_KEYS = `SELECT (SELECT count(*)::int FROM hire.part) AS rows,
  (SELECT count(*)::int FROM pg_constraint WHERE conname = 'part_of') AS keys`;

async function planOf(answer: Promise<Response>): Promise<Plan> {
  const response = await answer;
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as Plan;
}

describe("what a caller asks of a load", () => {
  let stage: RestoreStage;

  afterEach(() => stage[Symbol.asyncDispose]());

  it("gives all to the role that restores, and leaves out what it may not make", async () => {
    stage = await setRestoreStage({ prepare: (server, database) => server.query(database, OF_A_SUPERUSER) });
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB`);
    const restore = await stage.startAsOwner();
    const asked = { filename: stage.backup.name, dryRun: true };
    const leaveOut = ["FOREIGN DATA WRAPPER - away postgres", "SERVER - far postgres"];

    const plain = await planOf(restore.post(asked));
    const current = await planOf(restore.post({ ...asked, owner: "current" }));
    const both = await planOf(restore.post({ ...asked, owner: "current", leaveOut }));
    const result = await stage.resultOf(
      restore.post({ ...asked, dryRun: false, owner: "current", leaveOut }),
    );

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

  it("names the entry that cannot be restored, and does without it", async () => {
    stage = await setRestoreStage({ prepare: (server, database) => server.query(database, BROKEN_KEY) });
    const restore = await stage.start();
    const failed = (await (await restore.post({ filename: "latest" })).json()) as Problem;
    const entry = /\(TOC entry ("\d+; \d+ \d+ FK CONSTRAINT part part_of .*?")\)/.exec(failed.detail)?.[1];
    assert.ok(entry !== undefined, failed.detail);
    assert.match(failed.hint, /leaveOut/);

    for (const strategy of ["swap", "in-place"]) {
      const leaveOut = [JSON.parse(entry) as string];
      const result = await stage.resultOf(restore.post({ filename: stage.backup.name, strategy, leaveOut }));

      assert.match(result.warnings.join("\n"), /left out: .*FK CONSTRAINT part part_of/);
      assert.deepEqual((await stage.query(stage.database, PARTS_AND_KEYS)).rows, [{ rows: 1, keys: 0 }]);
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
    await stage.resultOf(restore.post(inPlace));
    await stage.query("postgres", `ALTER ROLE ${stage.owner} NOBYPASSRLS`);
    const swapped = await stage.resultOf(restore.post({ ...inPlace, strategy: "swap" }));

    assert.equal(blocked.status, 422, said);
    assert.match(said, /safety backup.+hire\.forced.+BYPASSRLS/);
    assert.equal(backups.length, 1);
    assert.equal(swapped.compared?.rows, stage.backup.content.rows);
  });
});
