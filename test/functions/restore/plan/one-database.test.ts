import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RestorePlan } from "../../../../functions/restore/plan/restore-plan.ts";
import { lackOfProgram } from "../../../support/debian.ts";
import { until } from "../../../support/faulty.ts";
import { installation } from "../../../support/installation.ts";
import { startPostgres, type TestServer } from "../../../support/postgres.ts";
import { askPlan } from "../../../support/restore-plan.ts";
import { setRestoreStage } from "../../../support/restore-stage.ts";

const SCHEDULED = `CREATE EXTENSION pg_cron; SELECT cron.schedule('nightly', '0 3 * * *', 'SELECT 1');
  GRANT USAGE ON SCHEMA cron TO pg_monitor; COMMENT ON EXTENSION pg_cron IS 'ours'`;
const JOBS = "SELECT jobname, schedule, command FROM cron.job";
const LAUNCHERS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher' AND datname = $1";

describe("an extension that only one database can have", async () => {
  const { major, root } = await installation();
  const library = `${root}/usr/lib/postgresql/${major}/lib/pg_cron.so`;
  const skip = (await lackOfProgram(`postgresql-${major}-cron`, library)) ?? false;

  it("comes back in place with its jobs, and is left out of what is loaded beside", { skip }, async () => {
    await using server = await startPostgres({ shared_preload_libraries: "pg_cron" });
    const schedule = async (_: TestServer, database: string) => {
      await server.query("postgres", `ALTER SYSTEM SET cron.database_name = '${database}'`);
      await server.stop();
      await server.start();
      await server.query(database, SCHEDULED);
    };
    await using stage = await setRestoreStage({ server, prepare: schedule });
    const isLaunched = async () =>
      (await server.query("postgres", LAUNCHERS, [stage.database])).rowCount === 1;
    await until(isLaunched);
    const { rows: jobs } = await stage.query(stage.database, JOBS);
    const restore = await stage.start();
    const filename = stage.backup.name;
    const planned = (body: object) => askPlan(restore, { filename, ...body });

    await stage.query(stage.database, "SELECT cron.unschedule('nightly')");
    const [swap, beside, inPlace] = [
      await planned({}),
      await planned({ into: "scratch" }),
      await planned({ strategy: "in-place" }),
    ];
    const leaveOut = JSON.parse(
      /"leaveOut": (\[.+\])/.exec(beside.blockers[0]?.remedy ?? "")?.[1] ?? "",
    ) as string[];
    await stage.readResult(restore.post({ filename, strategy: "in-place" }));
    const { rows: restored } = await stage.query(stage.database, JOBS);
    const rehearsed = await stage.readResult(restore.post({ filename, into: "scratch", leaveOut }));

    assert.deepEqual(kindsOf(swap), ["background-workers", "extensions-of-one-database"]);
    for (const { remedy } of swap.blockers) assert.match(remedy, /use the strategy in-place/);
    assert.deepEqual(kindsOf(beside), ["extensions-of-one-database"]);
    assert.deepEqual(beside.blockers[0]?.names, [`pg_cron (cron.database_name is ${stage.database})`]);
    assert.deepEqual(kindsOf(inPlace), []);
    assert.deepEqual(restored, jobs);
    assert.equal(jobs.length, 1);
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.match(rehearsed.warnings.join("\n"), /left out: EXTENSION - pg_cron\n[^]*TABLE DATA cron job /);
    await until(isLaunched);

    await server.query("postgres", "ALTER SYSTEM RESET cron.database_name");
    await server.stop();
    await server.start();
    const elsewhere = await planned({ strategy: "in-place" });

    assert.deepEqual(kindsOf(elsewhere), ["extensions-of-one-database"]);
    assert.deepEqual(elsewhere.blockers[0]?.names, ["pg_cron (cron.database_name is postgres)"]);
    assert.match(
      elsewhere.blockers[0]?.remedy ?? "",
      new RegExp(`cron.database_name = ${stage.database} and restart`),
    );
  });
});

function kindsOf({ blockers }: RestorePlan): string[] {
  return blockers.map(({ kind }) => kind).toSorted();
}
