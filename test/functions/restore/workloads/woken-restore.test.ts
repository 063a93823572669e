import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, it } from "node:test";
import { eachOnCluster } from "../../../support/each-on-cluster.ts";
import { eventReceiver } from "../../../support/event-receiver.ts";
import { preload, problemIn, until } from "../../../support/faulty.ts";
import {
  endedRestore,
  REPLICAS,
  restoreRuns,
  type RestoreCluster,
} from "../../../support/restore-cluster.ts";
import type { RestoreStage } from "../../../support/restore-stage.ts";

/** Longer than taking back is tried. */
const TEN_MINUTES_MS = 600_000;

describe("a restore that stops workloads, and is woken", () => {
  let stage: RestoreStage;
  let cluster: RestoreCluster;

  eachOnCluster((given) => ({ stage, cluster } = given));
  beforeEach(() => stage.destroyData());

  it("goes on without the right to be woken, and says so in its steps", async () => {
    cluster.kubernetes.deny("create pingsources");
    const restore = await stage.start(cluster.environment);

    await stage.readResult(restore.post({ filename: "latest" }));

    const unwatched = (await endedRestore(stage.path)).steps.find(
      ({ step }) => step === "wakeup_unavailable",
    );
    assert.match(String(unwatched?.detail?.["why"]), /cannot create resource "pingsources"/);
  });

  it("is carried on by the next process after SIGTERM in the middle", async () => {
    cluster.server.behave({ stopMs: "never" });
    const restore = await stage.start(cluster.environment);
    const answer = problemIn(restore.post({ filename: "latest" }));
    await until(() => cluster.server.replicas === 0);

    await restore.end("SIGTERM");
    const problem = await answer;
    cluster.server.endPods();
    await stage.start(cluster.environment);
    const run = await endedRestore(stage.path);

    assert.equal(problem.code, "interrupted");
    assert.equal(run.state, "succeeded");
    assert.deepEqual(cluster.scalings(), ["frontend 0", "server 0", "server 2", "frontend 1"]);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("is one restore, whatever pings and requests come while it is under way", async () => {
    cluster.server.behave({ stopMs: "never" });
    const restore = await stage.start(cluster.environment);
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
    const restore = await stage.start(cluster.environment);
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
    const restore = await stage.start({ ...cluster.environment, ...held, K_SINK: sink.url });
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
