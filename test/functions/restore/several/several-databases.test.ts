import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { RestoreOverview } from "../../../../functions/restore/show-restores.ts";
import type { Report } from "../../../../shared/doctor/finding.ts";
import type { Run } from "../../../../shared/run/run.ts";
import { problemIn } from "../../../support/faulty.ts";
import { backupEnvironment, spawnFunction, type FunctionProcess } from "../../../support/function-process.ts";
import { askPlan } from "../../../support/restore-plan.ts";
import { setSeveralStage, type SeveralStage } from "../../../support/several-stage.ts";

describe("one restore function for several databases", () => {
  let stage: SeveralStage;
  let restore: FunctionProcess;

  before(async () => {
    stage = await setSeveralStage();
    restore = await stage.start();
  });
  beforeEach(() => stage.spoil());
  after(() => stage[Symbol.asyncDispose]());

  const backupOf = (database: string) => stage.backups.get(database) ?? "";
  const said = () => Promise.all(stage.databases.map((database) => stage.says(database)));

  it("restores the one that the backup's name is of, with its folder or without, and leaves the others", async () => {
    const [first, second, third] = stage.databases;

    const whole = await stage.result(restore.post({ filename: backupOf(third) }));
    const short = backupOf(second).slice(backupOf(second).indexOf("/") + 1);
    const shortened = await stage.result(restore.post({ filename: short }));

    assert.deepEqual([whole.database, shortened.database], [third, second]);
    assert.deepEqual(await said(), ["spoilt", second, third]);
    assert.equal(await stage.says(first), "spoilt");
  });

  it("restores the latest of the one that is named", async () => {
    const [first] = stage.databases;

    const result = await stage.result(restore.post({ filename: "latest", database: first }));

    assert.equal(result.source, backupOf(first));
    assert.deepEqual(await said(), [first, "spoilt", "spoilt"]);
  });

  it("records no run for a body that names none of several databases", async () => {
    const [first, second] = stage.databases;
    const refused: readonly (readonly [object, RegExp])[] = [
      [{ filename: "latest" }, new RegExp(`add "database": .*"${first}", "${second}"`)],
      [{ filename: "latest", into: "scratch" }, /add "database"/],
      [{ filename: "latest", database: "postgres" }, /POSTGRESQL_DATABASES says which are/],
      [{ filename: "2026-11-22/other2026-11-22-01-00.bak" }, /POSTGRESQL_DATABASES says which are/],
      [
        { filename: backupOf(first), database: second },
        new RegExp(`the nearest names are ${backupOf(second)}`),
      ],
      [{ filename: `${backupOf(first)}x` }, new RegExp(`the nearest names are .*${backupOf(first)}`)],
      [{ undo: "restore-0123456789abcdef01234567" }, /GET \/ lists what can be undone/],
      [{ undo: "restore-0123456789abcdef01234567", database: "postgres" }, /says which are/],
    ];
    const runsBefore = await restore.get("/runs").then((answer) => answer.text());
    for (const [body, hint] of refused) {
      const problem = await problemIn(restore.post(body));
      assert.ok([400, 422].includes(problem.status), JSON.stringify(body));
      assert.match(problem.hint ?? "", hint, JSON.stringify(body));
    }
    assert.equal(await restore.get("/runs").then((answer) => answer.text()), runsBefore);
  });

  it("lists what can be undone of each, and undoes it by the run alone", async () => {
    const [first, second] = stage.databases;
    const one = await stage.result(restore.post({ filename: "latest", database: first }));
    const other = await stage.result(restore.post({ filename: "latest", database: second }));

    const { undo } = (await (await restore.get("/")).json()) as RestoreOverview;
    const undone = await stage.result(restore.post({ undo: one.run }));

    const lives = new Map(undo.map(({ run, live }) => [run, live]));
    assert.deepEqual([lives.get(one.run), lives.get(other.run)], [first, second]);
    assert.equal(undone.database, first);
    assert.deepEqual((await said()).slice(0, 2), ["spoilt", second]);
  });

  it("makes one that is gone from the server, and undoes what another one kept meanwhile", async () => {
    const [, second, third] = stage.databases;
    const kept = await stage.result(restore.post({ filename: "latest", database: second }));
    await stage.server.dropDatabase(second);
    await stage.server.dropDatabase(third);

    const made = await stage.result(restore.post({ filename: backupOf(third) }));
    const undone = await stage.result(restore.post({ undo: kept.run }));

    assert.deepEqual([made.database, undone.database], [third, second]);
    assert.deepEqual(await said(), ["spoilt", "spoilt", third]);
  });

  it("plans for one, and says in a run of which it is", async () => {
    const [, second] = stage.databases;

    const plan = await askPlan(restore, { filename: "latest", database: second });

    const { runs } = (await (await restore.get("/runs")).json()) as { runs: readonly Run[] };
    assert.deepEqual([plan.database, plan.blockers], [second, []]);
    assert.equal(runs[0]?.database, second);
  });

  it("is examined for each by name", async () => {
    const report = (await (await restore.get("/doctor")).json()) as Report;

    for (const check of ["database", "restore", "leftovers"]) {
      const of = report.findings.filter((finding) => finding.check === check).map(({ database }) => database);
      assert.deepEqual(new Set(of), new Set(stage.databases), check);
    }
  });

  it("does not restore the database of the locks", async () => {
    const [first] = stage.databases;
    const odd = await stage.start({ MAINTENANCE_DATABASE: first });

    const problem = await problemIn(odd.post({ filename: backupOf(first) }));

    assert.equal(problem.code, "request_invalid");
    assert.match(problem.detail, /is MAINTENANCE_DATABASE/);
    assert.equal(await stage.says(first), "spoilt");
  });

  it("does not start with workloads of a database that is none of them", async () => {
    const given = { POSTGRESQL_DATABASES: "a,b", APP_WORKLOADS: "c=deployment/c" };
    const environment = { ...environmentOf(stage), ...given };
    await using started = spawnFunction("restore", environment);

    assert.notEqual(await started.ended, 0);
    assert.match(JSON.stringify(started.lines), /APP_WORKLOADS names databases that are none .*\\"c\\"/);
  });
});

function environmentOf({ server, path }: SeveralStage) {
  const { POSTGRESQL_DATABASE: _, ...environment } = backupEnvironment(server, "", path);
  return environment;
}
