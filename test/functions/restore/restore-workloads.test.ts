import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, it } from "node:test";
import type { RestorePlan } from "../../../functions/restore/plan/restore-plan.ts";
import { spawnFunction } from "../../support/function-process.ts";
import { eventReceiver } from "../../support/event-receiver.ts";
import { preload, problemIn, until } from "../../support/faulty.ts";
import { eachOnCluster } from "../../support/each-on-cluster.ts";
import { endedRestore, REPLICAS, restoreRuns, type RestoreCluster } from "../../support/restore-cluster.ts";
import type { RestoreStage } from "../../support/restore-stage.ts";

/** Longer than taking back is tried. */
const TEN_MINUTES_MS = 600_000;

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

    const response = await restore.post({ filename: "latest", dryRun: true });

    const plan = (await response.json()) as RestorePlan;
    assert.match(plan.warnings.join("\n"), /horizontalpodautoscaler\/busy may scale deployment\/server/);
    assert.match(plan.warnings.join("\n"), /nothing would wake this function.*may not create pingsources/);
    assert.deepEqual(cluster.scalings(), []);
    assert.equal(cluster.kubernetes.pingSources.size, 0);
  });

  it("goes on without the right to be woken, and says so in its steps", async () => {
    cluster.kubernetes.deny("create pingsources");
    const restore = await start();

    await stage.readResult(restore.post({ filename: "latest" }));

    const unwatched = (await endedRestore(stage.path)).steps.find(
      ({ step }) => step === "wakeup_unavailable",
    );
    assert.match(String(unwatched?.detail?.["why"]), /cannot create resource "pingsources"/);
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

  it("is carried on by the next process after SIGTERM in the middle", async () => {
    cluster.server.behave({ stopMs: "never" });
    const restore = await start();
    const answer = problemIn(restore.post({ filename: "latest" }));
    await until(() => cluster.server.replicas === 0);

    await restore.end("SIGTERM");
    const problem = await answer;
    cluster.server.endPods();
    await start();
    const run = await endedRestore(stage.path);

    assert.equal(problem.code, "interrupted");
    assert.equal(run.state, "succeeded");
    assert.deepEqual(cluster.scalings(), ["frontend 0", "server 0", "server 2", "frontend 1"]);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("is one restore, whatever pings and requests come while it is under way", async () => {
    cluster.server.behave({ stopMs: "never" });
    const restore = await start();
    const key = { "idempotency-key": "once" };
    const first = stage.readResult(restore.post({ filename: "latest" }, key));
    await until(() => cluster.server.replicas === 0);

    const pings = await Promise.all([restore.ping(), restore.ping(), restore.ping()]);
    const second = await problemIn(restore.post({ filename: "latest" }));
    const same = stage.readResult(restore.post({ filename: "latest" }, key));
    cluster.server.endPods();

    assert.deepEqual(await same, await first);
    assert.deepEqual(
      pings.map(({ status }) => status),
      [202, 202, 202],
    );
    assert.deepEqual([second.status, second.code], [409, "database_busy"]);
    assert.deepEqual(cluster.scalings(), ["frontend 0", "server 0", "server 2", "frontend 1"]);
    const succeeded = (await restoreRuns(stage.path)).filter(({ state }) => state === "succeeded");
    assert.deepEqual(
      succeeded.map(({ id, attempt }) => [id, attempt]),
      [[(await first).run, 1]],
    );
  });

  it("whose ping source could not be removed removes it at its next ping, and no other", async () => {
    const restore = await start();
    const { pingSources } = cluster.kubernetes;
    const folder = "/apis/v1/namespaces/hets/pingsources";
    cluster.kubernetes.deny("delete pingsources");
    await stage.readResult(restore.post({ filename: "latest" }));
    const [left = "none"] = pingSources.keys();
    cluster.kubernetes.allow("delete pingsources");

    await restore.ping({ id: "1", source: `${folder}/dormouse-daily` });
    const after = pingSources.size;
    await restore.ping({ id: "2", source: `${folder}/${left}` });

    await until(() => pingSources.size === 0);
    assert.equal(left, "restore");
    assert.equal(after, 1);
  });

  it("that was left unsettled is resumed by a ping, once", async () => {
    cluster.server.behave({ stopMs: "never" });
    const clock = join(stage.path, "clock");
    await writeFile(clock, "0");
    await using sink = await eventReceiver();
    const held = { ...preload("clock-preload.ts"), DORMOUSE_TEST_CLOCK_FILE: clock };
    const restore = await start({ ...held, K_SINK: sink.url });
    const answer = problemIn(restore.post({ filename: "latest" }));
    await until(() => cluster.server.replicas === 0);
    // Neither stopping nor taking back is possible, until the process gives up.
    cluster.kubernetes.deny("get deployments/scale");
    await restore.logged("step failed");
    await writeFile(clock, `${TEN_MINUTES_MS}`);
    const problem = await answer;
    cluster.kubernetes.allow("get deployments/scale");
    cluster.server.endPods();

    await Promise.all([restore.ping(), restore.ping()]);
    const run = await endedRestore(stage.path);

    assert.equal(problem.code, "rollback_pending");
    assert.ok(sink.events.some(({ type }) => type === "dev.dormouse.restore.unsettled"));
    assert.equal(run.state, "failed");
    assert.deepEqual(cluster.replicas(), REPLICAS);
    assert.deepEqual(cluster.scalings(), ["frontend 0", "server 0", "server 2", "frontend 1"]);
    assert.deepEqual(await stage.databases(), [stage.database]);
    assert.equal(cluster.kubernetes.pingSources.size, 0);
  });
});
