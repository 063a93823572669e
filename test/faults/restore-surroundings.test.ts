import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { preload, problemIn, until, wake } from "../support/faulty.ts";
import { startPostgres } from "../support/postgres.ts";
import { eachOnCluster } from "../support/each-on-cluster.ts";
import {
  endedRestore,
  REPLICAS,
  restoreRuns,
  startRestoreCluster,
  type RestoreCluster,
} from "../support/restore-cluster.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

describe("a restore whose surroundings fail while the application is down", () => {
  let stage: RestoreStage;
  let cluster: RestoreCluster;

  eachOnCluster((given) => ({ stage, cluster } = given));
  beforeEach(() => stage.destroyData());

  const full = [
    ["before step stopped deployment/server", "failed"],
    ["before phase swapping", "failed"],
    ["before phase starting", "succeeded"],
  ] as const;
  for (const [point, state] of full) {
    it(`brings it back on a volume that is full from ${point.slice(7)} on, and records it later`, async () => {
      const destroyed = await stage.fingerprint();
      const fault = { ...preload("records-preload.ts"), DORMOUSE_TEST_RECORD: `full ${point}` };
      const restore = await stage.start({ ...cluster.environment, ...fault });

      await restore.post({ filename: "latest" });
      const replicas = cluster.replicas();
      const content = await stage.fingerprint();
      const waking = cluster.kubernetes.pingSources.size;
      await restore.end("SIGTERM");
      const next = await stage.start(cluster.environment);
      const run = await endedRestore(stage.path);

      assert.deepEqual(replicas, REPLICAS);
      assert.deepEqual(content, state === "succeeded" ? stage.original : destroyed);
      assert.equal(waking, 1);
      assert.equal(run.state, state);
      assert.deepEqual(await stage.fingerprint(), content);
      assert.deepEqual(cluster.replicas(), REPLICAS);
      assert.equal(cluster.kubernetes.pingSources.size, 0);
      await next.end("SIGTERM");
    });
  }

  it("starts the workloads as soon as an API server that was away answers again", async () => {
    const restore = await stage.start(cluster.environment);
    cluster.server.behave({ stopMs: "never" });
    const answer = stage.readResult(restore.post({ filename: "latest" }));
    await until(() => cluster.server.replicas === 0);
    cluster.kubernetes.behave("is overloaded");
    cluster.server.endPods();
    const asked = cluster.kubernetes.requests.length;
    await until(() => cluster.kubernetes.requests.length > asked + 2);

    cluster.kubernetes.behave("answers");
    await answer;

    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.deepEqual(cluster.replicas(), REPLICAS);
  });

  it("brings it back when a session holds the database for long", async () => {
    const destroyed = await stage.fingerprint();
    const restore = await stage.start(cluster.environment);
    cluster.server.behave({ stopMs: "never" });
    const answer = restore.post({ filename: "latest" });
    await until(() => cluster.server.replicas === 0 && cluster.frontend.replicas === 0);
    const unlock = await lockOut(stage);
    cluster.server.endPods();

    const response = await answer;
    const replicas = cluster.replicas();
    await unlock();

    assert.deepEqual([response.status, (await problemIn(response)).code], [503, "lock_timeout"]);
    assert.deepEqual(replicas, REPLICAS);
    assert.deepEqual(await stage.fingerprint(), destroyed);
    assert.deepEqual(await stage.databases(), [stage.database]);
    assert.equal((await endedRestore(stage.path)).state, "failed");
  });

  it("starts the others when one of the workloads is gone", async () => {
    const restore = await stage.start(cluster.environment);
    cluster.server.behave({ stopMs: "never" });
    const answer = stage.readResult(restore.post({ filename: "latest" }));
    await until(() => cluster.server.replicas === 0 && cluster.frontend.replicas === 0);
    const locked = await lockOut(stage);
    cluster.server.endPods();
    await restore.logged("step stopped");
    await until(() => restore.lines.filter(({ message }) => message === "step stopped").length === 2);
    cluster.kubernetes.removeWorkload("deployment/server");
    await locked();

    const { workloads, warnings } = await answer;

    assert.deepEqual(
      workloads.map(({ ready }) => ready),
      [false, true],
    );
    assert.match(warnings.join(), /deployment\/server does not exist/);
    assert.equal(cluster.frontend.replicas, 1);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });
});

describe("a restore behind whose fence a session holds the list of databases", () => {
  it("brings the application back as soon as that can be, and then gives up", async () => {
    await using server = await startPostgres();
    await using stage = await setRestoreStage({ server });
    await using cluster = await startRestoreCluster();
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    const record = { ...preload("records-preload.ts"), DORMOUSE_TEST_RECORD: "stop after step fenced" };
    const restore = await stage.start({ ...cluster.environment, ...record });
    const answer = restore.post({ filename: "latest" });
    await until(async () => (await restoreRuns(stage.path))[0]?.steps.at(-1)?.step === "fenced");
    // On a server of its own: no other test could change a database meanwhile.
    const holder = await server.connect();
    await holder.query("BEGIN");
    await holder.query("LOCK TABLE pg_database IN SHARE MODE");
    await wake(restore.pid);

    // The swap has given up by then, and so has the first attempt to open the database again.
    await restore.logged("restore failed");
    await until(async () => (await waitsToReopen(stage)) === 1);
    await until(async () => (await waitsToReopen(stage)) === 0);
    const meanwhile = cluster.replicas();
    await holder.end();
    const problem = await problemIn(answer);

    assert.deepEqual(meanwhile, [0, 0]);
    assert.equal(problem.code, "lock_timeout");
    assert.deepEqual(cluster.replicas(), REPLICAS);
    assert.deepEqual(await stage.fingerprint(), destroyed);
    assert.deepEqual(await stage.databases(), [stage.database]);
    assert.equal((await endedRestore(stage.path)).state, "failed");
  });
});

describe("a restore whose connection is lost", () => {
  it("at the COMMIT of the swap, which happened, finishes", async () => {
    await using server = await startPostgres({ synchronous_commit: "local" });
    await using stage = await setRestoreStage({ server });
    await stage.destroyData();
    await server.query("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    await server.query("postgres", "SELECT pg_reload_conf()");
    const restore = await stage.start();

    const answer = stage.readResult(restore.post({ filename: "latest" }));
    // It waits for a standby, having committed.
    const waits = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    await until(async () => (await server.query("postgres", waits)).rows.length > 0);
    const result = await answer;

    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.deepEqual(await stage.databases(), [stage.database, stage.before(result.run)]);
    assert.equal((await restoreRuns(stage.path)).at(-1)?.state, "succeeded");
  });

  it("by a restart of the server while workloads are down, is taken back", async () => {
    await using server = await startPostgres();
    await using stage = await setRestoreStage({ server });
    await using cluster = await startRestoreCluster();
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    cluster.server.behave({ stopMs: "never" });
    const restore = await stage.start(cluster.environment);

    const answer = restore.post({ filename: "latest" });
    await until(() => cluster.server.replicas === 0);
    await server.stop();
    await server.start();
    const response = await answer;

    assert.equal(response.status, 503);
    assert.deepEqual(await stage.fingerprint(), destroyed);
    assert.deepEqual(await stage.databases(), [stage.database]);
    assert.deepEqual(cluster.replicas(), REPLICAS);
    assert.equal((await endedRestore(stage.path)).state, "failed");
  });
});

async function waitsToReopen({ server, database }: RestoreStage): Promise<number> {
  const sql = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
    AND strpos(query, $1) > 0 AND query LIKE 'ALTER DATABASE % ALLOW_CONNECTIONS true'`;
  return (await server.query("postgres", sql, [database])).rowCount ?? 0;
}

/** Keeps the swap waiting; returns how to let it go on. */
async function lockOut({ server, database }: RestoreStage): Promise<() => Promise<void>> {
  const client = await server.connect();
  await client.query("BEGIN");
  await client.query("SELECT FROM pg_database WHERE datname = $1 FOR UPDATE", [database]);
  return () => client.end();
}
