import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lockKey } from "../../shared/postgres/session/advisory-lock.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { preload, problemIn, until, wake } from "../support/faulty.ts";
import { eachOnCluster } from "../support/each-on-cluster.ts";
import { endedRestore, REPLICAS, restoreRuns, type RestoreCluster } from "../support/restore-cluster.ts";
import type { RestoreStage } from "../support/restore-stage.ts";

describe("a restore that two processes have", () => {
  let stage: RestoreStage;
  let cluster: RestoreCluster;

  eachOnCluster((given) => ({ stage, cluster } = given));

  /** A function that stops for a while, as a machine that sleeps, at one record of its run. */
  async function startStopping(point: string): Promise<FunctionProcess> {
    const record = { ...preload("records-preload.ts"), DORMOUSE_TEST_RECORD: `stop ${point}` };
    return stage.start({ ...cluster.environment, ...record });
  }

  it("is not begun any more by one that slept before it had the lock, and its caller gets the error", async () => {
    const sleeper = await startStopping("after accepted");
    const answer = problemIn(sleeper.post({ filename: "latest" }));
    await until(async () => (await restoreRuns(stage.path)).length === 1);
    const next = await stage.start(cluster.environment);
    const ended = await toldRestore(stage);
    await stage.query(stage.database, "CREATE TABLE hire.newer (id int)");

    await wake(sleeper.pid);
    const told = await answer;

    assert.equal(ended.state, "failed");
    assert.deepEqual([told.code, told.detail], [ended.problem?.code, ended.problem?.message]);
    assert.deepEqual(await endedRestore(stage.path), ended);
    assert.ok("hire.newer" in (await stage.fingerprint()));
    assert.deepEqual(cluster.scalings(), []);
    await next.end("SIGTERM");
  });

  const strategies = [
    ["swap", { filename: "latest" }],
    ["in-place", { filename: "latest", strategy: "in-place" }],
  ] as const;
  for (const [strategy, body] of strategies) {
    it(`is not touched any more by one that lost the lock in its sleep: ${strategy}`, async () => {
      await stage.destroyData();
      const sleeper = await startStopping("after phase stopping");
      const answer = stage.readResult(sleeper.post(body));
      await until(async () => (await restoreRuns(stage.path))[0]?.journal?.phase === "stopping");
      await endHolder(stage);
      const next = await stage.start(cluster.environment);
      const ended = await toldRestore(stage);
      await stage.query(stage.database, "CREATE TABLE hire.afterwards (id int)");

      await wake(sleeper.pid);
      const result = await answer;

      assert.deepEqual(result, ended.result);
      assert.deepEqual(await endedRestore(stage.path), ended);
      assert.equal(ended.state, "succeeded");
      assert.ok("hire.afterwards" in (await stage.fingerprint()));
      assert.deepEqual(cluster.replicas(), REPLICAS);
      assert.deepEqual([...cluster.kubernetes.pingSources.keys()], []);
      await next.end("SIGTERM");
    });
  }

  it("is left to the process that has the lock, and resumed by no other", async () => {
    const sleeper = await startStopping("after phase stopping");
    const answer = stage.readResult(sleeper.post({ filename: "latest" }));
    await until(async () => (await restoreRuns(stage.path))[0]?.journal?.phase === "stopping");
    const next = await stage.start(cluster.environment);
    await next.logged("run resumed");

    await wake(sleeper.pid);
    const result = await answer;
    // It had the run as well, until it could have the lock.
    await next.logged("run interrupted");

    const [run, ...others] = await restoreRuns(stage.path);
    assert.deepEqual(others, []);
    assert.equal(run?.state, "succeeded");
    assert.equal(run?.attempt, 1);
    assert.deepEqual(await stage.databases(), [stage.database, stage.before(result.run)]);
    assert.deepEqual(cluster.scalings(), ["frontend 0", "server 0", "server 2", "frontend 1"]);
  });
});

/** The record of a restore that has ended and has sent its events: it is not written any more. */
async function toldRestore({ path }: RestoreStage) {
  await until(async () => (await endedRestore(path)).untold === undefined);
  return endedRestore(path);
}

/** As an administrator ends them, or a server that is restarted: the lock is free. */
async function endHolder({ server, database }: RestoreStage): Promise<void> {
  const holder = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'";
  const own = `${holder} AND (classid::bigint << 32) | objid::bigint = $1::bigint`;
  await until(async () => (await server.query("postgres", own, [lockKey(database)])).rows.length === 0);
}
