import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { spawnFunction } from "../../support/function-process.ts";
import { problemIn, until } from "../../support/faulty.ts";
import { eachOnCluster } from "../../support/each-on-cluster.ts";
import { endedRestore, REPLICAS, type RestoreCluster } from "../../support/restore-cluster.ts";
import { askPlan } from "../../support/restore-plan.ts";
import type { RestoreStage } from "../../support/restore-stage.ts";

describe("a restore and the workloads of the application", () => {
  let stage: RestoreStage;
  let cluster: RestoreCluster;

  eachOnCluster((given) => ({ stage, cluster } = given));
  beforeEach(() => stage.destroyData());

  const start = (changes: Readonly<Record<string, string>> = {}) =>
    stage.start({ ...cluster.environment, ...changes });

  it("stops them in the reverse of the order in which it starts them, with their replicas", async () => {
    const restore = await start();

    const result = await stage.readResult(restore.post({ filename: "latest" }));

    assert.deepEqual(cluster.scalings(), ["frontend 0", "server 0", "server 2", "frontend 1"]);
    assert.deepEqual(result.workloads, [
      { workload: "deployment/server", replicas: 2, ready: true },
      { workload: "deployment/frontend", replicas: 1, ready: true },
    ]);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("waits for pods that take their time to end, and is woken meanwhile", async () => {
    const destroyed = await stage.fingerprint();
    cluster.frontend.behave({ stopMs: "never" });
    const restore = await start();
    const answer = stage.readResult(restore.post({ filename: "latest" }));
    // The next one does not wait for the pods of the one before.
    await until(() => cluster.frontend.replicas === 0 && cluster.server.replicas === 0);
    const listed = () => cluster.kubernetes.requests.filter(({ resource }) => resource === "pods").length;
    const before = listed();
    const waitingSince = performance.now();
    await until(() => listed() > before + 1);
    const content = await stage.fingerprint();
    const [[, source] = []] = cluster.kubernetes.pingSources;
    const [creation, firstStop] = ["create", "patch"].map((verb) =>
      cluster.kubernetes.requests.findIndex(
        (request) => request.verb === verb && /pingsources|scale/.test(request.resource),
      ),
    );

    const waitedMs = performance.now() - waitingSince;
    cluster.frontend.endPods();
    const { downtimeMs = 0, stoppingMs = 0, swapMs = 0, startingMs = 0 } = await answer;

    assert.deepEqual(content, destroyed);
    assert.equal(stoppingMs + swapMs + startingMs, downtimeMs);
    assert.ok(stoppingMs >= Math.floor(waitedMs), `${stoppingMs} ms are not the pods' own ${waitedMs} ms`);
    assert.match(JSON.stringify(source), /"kind":"Service","name":"restore"/);
    assert.ok((creation ?? -1) >= 0 && (creation ?? 0) < (firstStop ?? 0));
    assert.deepEqual([...cluster.kubernetes.pingSources.keys()], []);
  });

  it("is rolled back when a controller scales back what it stopped", async () => {
    const destroyed = await stage.fingerprint();
    cluster.server.behave({ scaledBackTo: 2 });
    const restore = await start();

    const problem = await problemIn(restore.post({ filename: "latest" }));

    assert.equal(problem.code, "workload_changed");
    assert.deepEqual(await stage.fingerprint(), destroyed);
    assert.deepEqual(await stage.databases(), [stage.database]);
    assert.deepEqual(cluster.replicas(), REPLICAS);
    assert.deepEqual([...cluster.kubernetes.pingSources.keys()], []);
  });

  it("stands when a workload does not become ready, and reports why", async () => {
    cluster.server.behave({ startMs: "crash" });
    const restore = await start({ WORKLOAD_READY_SECONDS: "1" });

    const result = await stage.readResult(restore.post({ filename: "latest" }));

    assert.deepEqual(
      result.workloads.map(({ ready }) => ready),
      [false, true],
    );
    assert.match(result.warnings.join(), /deployment\/server is not ready: .*exit code 3/);
    assert.deepEqual(cluster.replicas(), REPLICAS);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("warns in the plan of an autoscaler, and of a right to be woken that is missing", async () => {
    cluster.kubernetes.addAutoscaler("busy", { kind: "deployment", name: "server" });
    cluster.kubernetes.deny("create pingsources");
    const restore = await start();

    const plan = await askPlan(restore, { filename: "latest" });

    assert.match(plan.warnings.join("\n"), /horizontalpodautoscaler\/busy may scale deployment\/server/);
    assert.match(plan.warnings.join("\n"), /nothing would wake this function.*may not create pingsources/);
    assert.deepEqual(cluster.scalings(), []);
    assert.equal(cluster.kubernetes.pingSources.size, 0);
  });

  const refusals = [
    [
      "a workload that is not there",
      "workload_not_found",
      () => cluster.kubernetes.removeWorkload("deployment/server"),
    ],
    ["pods that it may not see", "workload_forbidden", () => cluster.kubernetes.deny("list pods")],
  ] as const;
  for (const [what, code, arrange] of refusals) {
    it(`is refused before anything is touched for ${what}`, async () => {
      arrange();
      const restore = await start();

      const problem = await problemIn(restore.post({ filename: "latest" }));

      assert.equal(problem.code, code);
      assert.deepEqual(cluster.scalings(), []);
      assert.deepEqual(await stage.databases(), [stage.database]);
      assert.equal((await endedRestore(stage.path)).journal, undefined);
    });
  }

  it("is rolled back when it turns out that it may not scale", async () => {
    cluster.kubernetes.deny("patch deployments/scale");
    const restore = await start();

    const problem = await problemIn(restore.post({ filename: "latest" }));

    assert.equal(problem.code, "workload_forbidden");
    assert.deepEqual(cluster.replicas(), REPLICAS);
    assert.deepEqual(await stage.databases(), [stage.database]);
  });

  it("does not start where there are workloads and no cluster", async () => {
    const restore = spawnFunction("restore", { ...stage.environment, APP_WORKLOADS: "deployment/server" });

    const line = await restore.logged("start-up failed");

    assert.equal(line["code"], "configuration_invalid");
    assert.equal(await restore.ended, 1);
  });
});
