import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Run } from "../../shared/run/run.ts";
import { eventually, kubectlJson } from "./support/kubectl.ts";
import { bearer, install, type Installation } from "./support/namespace.ts";

const RESTORE = "dormouse-restore";
const SCHEDULE = ["daily", "rehearsal", "tidy", "watch"].map(
  (name) => `pingsource.sources.knative.dev/dormouse-${name}`,
);
const REPLICAS = { server: 2, frontend: 1 };

describe("the restore function on Knative", () => {
  let dormouse: Installation;
  let operator: Readonly<Record<string, string>>;
  before(async () => {
    dormouse = await install("restore");
    await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
    const backup = await dormouse.call("dormouse-backup", { method: "POST", body: {} });
    assert.equal(backup.status, 200, backup.body);
    await dormouse.kubectl("create serviceaccount stranger");
    operator = await bearer(dormouse, "dormouse-operator", "dormouse");
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  for (const [whose, status, headers] of [
    ["nobody", 401, async () => ({})],
    ["a caller without the right", 403, () => bearer(dormouse, "stranger", "dormouse")],
    ["an operator's token for something else", 401, () => bearer(dormouse, "dormouse-operator", "another")],
  ] as const) {
    it(`refuses ${whose} with ${status}`, async () => {
      const request = { method: "POST", body: { filename: "latest" }, headers: await headers() };

      const answer = await dormouse.call(RESTORE, request);

      assert.equal(answer.status, status, answer.body);
    });
  }

  it("puts a backup back and the application up again, as it was", async () => {
    await dormouse.sql("DROP TABLE item");

    const answer = await restore(dormouse, operator);

    assert.equal(answer.status, 200, answer.body);
    assert.equal(await dormouse.sql("SELECT count(*) FROM item"), "1000");
    assert.deepEqual(await replicas(dormouse), REPLICAS);
    const [lastServer, firstFrontend] = [
      await readyTimes(dormouse, "server"),
      await birthTimes(dormouse, "frontend"),
    ];
    assert.ok(
      Math.max(...lastServer) <= Math.min(...firstFrontend),
      "frontend was started before server was ready",
    );
  });

  it("goes on after its pod is gone in the middle, woken by a ping source of its own", async () => {
    await dormouse.sql("DROP TABLE item");
    await stopsSlowly(dormouse, "frontend");

    const started = await restore(dormouse, { ...operator, prefer: "respond-async" });
    const run = String(started.headers["dormouse-run"]);
    await eventually("the application being stopped", async () => (await replicas(dormouse)).frontend === 0);
    const sources = await dormouse.kubectl("get pingsource -o name");
    const ours = sources.split("\n").filter((name) => !SCHEDULE.includes(name));
    await dormouse.kubectl(`delete pod -l serving.knative.dev/service=${RESTORE} --grace-period=0 --force`);

    const ended = await eventually("the end of the run", async () => {
      const answer = await dormouse.call(RESTORE, { path: `/runs/${run}`, headers: operator });
      const found = JSON.parse(answer.body) as Run;
      return found.state === "succeeded" || found.state === "failed" ? found : undefined;
    });
    assert.equal(ended.state, "succeeded", JSON.stringify(ended));
    assert.ok(ended.attempt > 1);
    assert.equal(ours.length, 1, sources);
    assert.equal(await dormouse.sql("SELECT count(*) FROM item"), "1000");
    assert.deepEqual(await replicas(dormouse), REPLICAS);
    assert.deepEqual((await dormouse.kubectl("get pingsource -o name")).split("\n").toSorted(), SCHEDULE);
  });

  it("may scale the workloads that are named, and do nothing more", async () => {
    const me = `system:serviceaccount:${dormouse.namespace}:${RESTORE}`;
    const may = (what: string) =>
      dormouse.kubectl(`auth can-i --as=${me} ${what}`).then(
        () => true,
        () => false,
      );

    for (const what of [
      "patch deployments/server --subresource=scale",
      "get deployments/frontend --subresource=scale",
    ])
      assert.equal(await may(what), true, what);
    for (const what of [
      "patch deployments/server",
      "patch deployments/other --subresource=scale",
      "patch statefulsets/postgresql --subresource=scale",
      "delete pods",
      "create pods --subresource=exec",
      "get secrets",
      "update pingsources.sources.knative.dev",
      "patch services.serving.knative.dev/dormouse-restore",
    ])
      assert.equal(await may(what), false, what);
  });

  it("changes nothing without its Role, and says what it lacks", async () => {
    await dormouse.sql("DROP TABLE item");
    await dormouse.kubectl("delete rolebinding dormouse-restore");

    const answer = await restore(dormouse, operator);

    assert.ok(answer.status >= 400, answer.body);
    assert.match(answer.body, /"code":"workload_forbidden"/);
    assert.equal(await dormouse.sql("SELECT to_regclass('item') IS NULL"), "t");
    assert.deepEqual(await replicas(dormouse), REPLICAS);
  });
});

function restore({ call }: Installation, headers: Readonly<Record<string, string>>) {
  return call(RESTORE, { method: "POST", body: { filename: "latest" }, headers });
}

async function replicas({
  namespace,
}: Installation): Promise<Readonly<Record<"server" | "frontend", number>>> {
  const { items } = await kubectlJson<{
    items: readonly { metadata: { name: string }; spec: { replicas: number } }[];
  }>(`-n ${namespace} get deployment server frontend`);
  const of = (name: string) => items.find(({ metadata }) => metadata.name === name)?.spec.replicas ?? -1;
  return { server: of("server"), frontend: of("frontend") };
}

/** A program that takes its time: the pod of the restore can go meanwhile. */
async function stopsSlowly({ kubectl }: Installation, deployment: string): Promise<void> {
  const patch = { spec: { template: { spec: { terminationGracePeriodSeconds: 30 } } } };
  await kubectl(`patch deployment ${deployment} --patch`, JSON.stringify(patch));
  await kubectl(`rollout status deployment/${deployment} --timeout=180s`);
}

async function birthTimes({ pods }: Installation, app: string): Promise<readonly number[]> {
  return (await pods(`app=${app}`)).map(({ metadata }) => Date.parse(metadata.creationTimestamp));
}

async function readyTimes({ pods }: Installation, app: string): Promise<readonly number[]> {
  const conditions = (await pods(`app=${app}`)).flatMap(({ status }) => status.conditions);
  return conditions
    .filter(({ type }) => type === "Ready")
    .map(({ lastTransitionTime }) => Date.parse(lastTransitionTime));
}
