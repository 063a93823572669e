import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { problemIn, until } from "../../../support/faulty.ts";
import { startRestoreCluster, restoreRuns, type RestoreCluster } from "../../../support/restore-cluster.ts";
import { askPlan } from "../../../support/restore-plan.ts";
import { setSeveralStage, type SeveralStage } from "../../../support/several-stage.ts";

const SHARED = "deployment/server,deployment/frontend";

describe("two databases that are restored at once", () => {
  let stage: SeveralStage;
  let cluster: RestoreCluster;
  let first: string;
  let second: string;

  before(async () => {
    stage = await setSeveralStage();
    [first, second] = stage.databases;
  });
  beforeEach(async () => {
    cluster = await startRestoreCluster();
    await stage.spoil();
  });
  afterEach(() => cluster[Symbol.asyncDispose]());
  after(() => stage[Symbol.asyncDispose]());

  const latest = (database: string) => ({ filename: "latest", database });
  const sources = () => [...cluster.kubernetes.pingSources.keys()];
  const start = (workloads: string, more: Readonly<Record<string, string>> = {}) =>
    stage.start({ ...cluster.environment, APP_WORKLOADS: workloads, ...more });
  const own = () => `${first}=deployment/server; ${second}=deployment/frontend`;
  /** The last restore of a database, as its record lies there. */
  const lastOf = async (database: string) =>
    (await restoreRuns(stage.path)).findLast((run) => run.database === database);
  /** Its pods are being ended by then. */
  const isStopping = async (database: string, { replicas }: { readonly replicas: number } = cluster.server) =>
    replicas === 0 && (await lastOf(database))?.journal?.phase === "stopping";
  const hasSucceeded = async (database: string) => (await lastOf(database))?.state === "succeeded";

  it("stop each its own workloads, and the source stays until the last of them has ended", async () => {
    cluster.server.behave({ stopMs: "never" });
    const restore = await start(own());
    const slow = stage.result(restore.post(latest(first)));
    await until(() => isStopping(first));

    const quick = await stage.result(restore.post(latest(second)));
    const meanwhile = sources();
    cluster.server.endPods();
    const result = await slow;

    assert.deepEqual(
      [quick, result].map(({ workloads }) => workloads.map(({ workload, replicas }) => [workload, replicas])),
      [[["deployment/frontend", 1]], [["deployment/server", 2]]],
    );
    assert.deepEqual([await stage.says(first), await stage.says(second)], [first, second]);
    assert.deepEqual(meanwhile, ["restore"]);
    assert.deepEqual(sources(), []);
  });

  it("are both resumed by the next process, which the source of either wakes", async () => {
    cluster.server.behave({ stopMs: "never" });
    cluster.frontend.behave({ stopMs: "never" });
    const restore = await start(own());
    const answers = [first, second].map((database) => restore.post(latest(database)).catch(() => undefined));
    await until(async () => (await isStopping(first)) && (await isStopping(second, cluster.frontend)));
    await restore.end("SIGKILL");
    await Promise.all(answers);

    await start(own());
    cluster.frontend.endPods();
    await until(() => hasSucceeded(second));
    const meanwhile = sources();
    cluster.server.endPods();
    await until(() => hasSucceeded(first));

    assert.deepEqual([await stage.says(first), await stage.says(second)], [first, second]);
    assert.deepEqual(cluster.replicas(), [2, 1]);
    assert.deepEqual(meanwhile, ["restore"]);
    assert.deepEqual(sources(), []);
  });

  it("wait for each other where they have workloads in common, and none takes the other's 0 for what it had", async () => {
    cluster.server.behave({ stopMs: "never" });
    const restore = await start(SHARED);
    const one = stage.result(restore.post(latest(first)));
    await until(() => isStopping(first));

    const other = stage.result(restore.post(latest(second)));
    await until(async () => (await lastOf(second))?.steps.some(({ step }) => step === "waiting") === true);
    const plan = await askPlan(restore, { ...latest(second) });
    const recorded = (await lastOf(second))?.journal?.workloads;
    cluster.server.behave({ stopMs: 0 });
    cluster.server.endPods();
    const results = await Promise.all([one, other]);

    const both = [
      ["deployment/server", 2, true],
      ["deployment/frontend", 1, true],
    ];
    assert.deepEqual(
      results.map((each) =>
        each.workloads.map(({ workload, replicas, ready }) => [workload, replicas, ready]),
      ),
      [both, both],
    );
    assert.equal(recorded, undefined);
    assert.deepEqual(
      plan.workloads.map(({ replicas }) => replicas),
      [2, 1],
    );
    assert.match(
      plan.warnings.join("\n"),
      /deployment\/server is stopped by restore-\w+: this restore waits/,
    );
    assert.deepEqual([await stage.says(first), await stage.says(second)], [first, second]);
    assert.deepEqual(sources(), []);
  });

  it("are refused, with nothing changed, where the other does not start what it has stopped", async () => {
    cluster.server.behave({ stopMs: "never" });
    const restore = await start(SHARED, { BUSY_WAIT_SECONDS: "0" });
    const one = stage.result(restore.post(latest(first)));
    await until(() => isStopping(first));

    const problems = [];
    for (const strategy of ["swap", "in-place"])
      problems.push(await problemIn(restore.post({ ...latest(second), strategy })));
    const meanwhile = [cluster.replicas(), sources(), await stage.says(second), await stage.all()];
    cluster.server.endPods();
    const result = await one;

    assert.deepEqual(
      problems.map(({ code, status }) => [code, status]),
      [
        ["workload_busy", 409],
        ["workload_busy", 409],
      ],
    );
    assert.match(problems[0]?.detail ?? "", new RegExp(`is stopped by the restore ${result.run}`));
    const [replicas, source, says, all] = meanwhile;
    assert.deepEqual([replicas, source, says], [[0, 0], ["restore"], "spoilt"]);
    assert.deepEqual(
      (all as readonly string[]).filter((name) => name.startsWith(`${second}__restore_`)),
      [],
    );
    assert.deepEqual(cluster.replicas(), [2, 1]);
  });

  it("and of which one was killed with workloads at 0 leave them to the one that has recorded them", async () => {
    cluster.server.behave({ stopMs: "never" });
    const restore = await start(SHARED);
    const killed = restore.post(latest(first)).catch(() => undefined);
    await until(() => isStopping(first));
    await restore.end("SIGKILL");
    await killed;
    cluster.server.behave({ stopMs: 0 });
    cluster.server.endPods();

    const next = await start(SHARED);
    const result = await stage.result(next.post(latest(second)));

    assert.deepEqual(
      result.workloads.map(({ replicas, ready }) => [replicas, ready]),
      [
        [2, true],
        [1, true],
      ],
    );
    assert.deepEqual(cluster.replicas(), [2, 1]);
    assert.deepEqual(await stage.says(second), second);
  });
});
