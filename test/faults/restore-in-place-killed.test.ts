import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import { connectAgainAndAgain } from "../support/application.ts";
import { spawnFunction } from "../support/function-process.ts";
import { eachOnCluster } from "../support/each-on-cluster.ts";
import { endedRestore, REPLICAS, type RestoreCluster } from "../support/restore-cluster.ts";
import type { RestoreStage } from "../support/restore-stage.ts";
import { atReplacement, type Moment } from "../support/session-watch.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";

describe("a restore in place whose process is killed inside of its transaction", () => {
  let stage: RestoreStage;
  let cluster: RestoreCluster;

  eachOnCluster((given) => ({ stage, cluster } = given));
  beforeEach(() => stage.destroyData());

  const asOwner = () => ({
    ...cluster.environment,
    POSTGRESQL_USER: stage.owner,
    POSTGRESQL_PASSWORD: stage.owner,
  });

  async function killAt(moment: Moment): Promise<AsyncDisposable> {
    const proxy = await tcpProxy(
      stage.server.port,
      atReplacement(moment, () => process.kill(doomed.pid, "SIGKILL")),
    );
    const doomed = spawnFunction("restore", {
      ...stage.environment,
      ...asOwner(),
      PGPORT: `${proxy.port}`,
    });
    await doomed.logged("listening");
    const request = { filename: stage.backup.name, strategy: "in-place" };
    const answer = await doomed.post(request).catch(() => undefined);
    assert.equal(answer, undefined, await answer?.text());
    assert.equal(await doomed.ended, "SIGKILL", JSON.stringify(doomed.lines.at(-1)));
    return proxy;
  }

  it("finishes when the server had committed, and loads nothing twice", async () => {
    await using _network = await killAt("committed");
    const loadedOnce = await tableOf(stage);

    await stage.start(asOwner());
    const run = await endedRestore(stage.path);

    assert.equal(run.state, "succeeded", JSON.stringify(run.problem));
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.equal(await tableOf(stage), loadedOnce);
    assert.deepEqual(cluster.replicas(), REPLICAS);
    assert.equal(await stage.connectionLimit(), -1);
    assert.notEqual(await statistics(stage), 0);
  });

  it("still reports what was compared and how it can be undone", async () => {
    const destroyed = await stage.fingerprint();
    await using _network = await killAt("committed");

    const next = await stage.start(asOwner());
    const result = (await endedRestore(stage.path)).result as RestoreResult;
    await stage.readResult(next.post(result.undo?.body));

    assert.equal(result.compared?.rows, stage.backup.content.rows);
    assert.equal(result.undo?.body["strategy"], "in-place");
    assert.deepEqual(await stage.fingerprint(), destroyed);
  });

  it("begins again when it had not, whatever connects meanwhile", async () => {
    await using _network = await killAt("wiping");
    await using _application = connectAgainAndAgain(stage);

    await stage.start(asOwner());
    const run = await endedRestore(stage.path);

    assert.equal(run.state, "succeeded", JSON.stringify(run.problem));
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.deepEqual(cluster.replicas(), REPLICAS);
    assert.equal(await stage.connectionLimit(), -1);
  });

  it("prevents no restore by swap when the database is gone as well", async () => {
    await using _network = await killAt("wiping");
    await stage.server.dropDatabase(stage.database);
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB`);

    const next = await stage.start(asOwner());
    const run = await endedRestore(stage.path);
    const replicasBetween = cluster.replicas();
    await stage.readResult(next.post({ filename: stage.backup.name }));

    assert.equal(run.state, "failed");
    assert.deepEqual(replicasBetween, REPLICAS);
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.deepEqual(cluster.replicas(), REPLICAS);
  });
});

/** Another one when it was dropped and made once more. */
async function tableOf(stage: RestoreStage): Promise<number> {
  const { rows } = await stage.query(stage.database, "SELECT 'hire.owner'::regclass::oid::int AS id");
  return (rows as { id: number }[])[0]?.id ?? 0;
}

async function statistics(stage: RestoreStage): Promise<number> {
  const sql = "SELECT count(*)::int AS columns FROM pg_stats WHERE schemaname = 'hire'";
  return ((await stage.query(stage.database, sql)).rows as { columns: number }[])[0]?.columns ?? 0;
}
