import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Workload, Workloads } from "../../../../functions/restore/workloads/workload.ts";
import { clusterCaller } from "../../../../shared/kubernetes/client.ts";
import { kubernetesWorkloads } from "../../../../functions/restore/workloads/workloads.ts";
import { type FakeKubernetes, startFakeKubernetes } from "../../../support/fake-kubernetes.ts";

const server: Workload = { kind: "deployment", name: "server" };
const signal = new AbortController().signal;
const LONG_MS = 600_000;

describe("workloads, beyond what a real cluster can be made to do", () => {
  let fake: FakeKubernetes;
  let workloads: Workloads;

  beforeEach(async () => {
    fake = await startFakeKubernetes();
    workloads = kubernetesWorkloads(clusterCaller({ kubeconfig: fake.kubeconfig, timeoutMs: LONG_MS }), 10);
  });
  afterEach(() => fake[Symbol.asyncDispose]());

  it("scale a DeploymentConfig, whose Scale is of another time", async () => {
    const config: Workload = { kind: "deploymentconfig", name: "server" };
    fake.addWorkload(config, 3);

    await workloads.scale(config, 3, 0, signal);
    await workloads.awaitStopped(config, LONG_MS, signal);
    await workloads.scale(config, 0, 3, signal);
    await workloads.awaitReady(config, 3, LONG_MS, signal);

    assert.deepEqual(await workloads.read(config, signal), { replicas: 3, pods: 3, autoscalers: [] });
  });

  it("send a JSON patch under its own content type that tests the version", async () => {
    fake.addWorkload(server, 1);

    await workloads.scale(server, 1, 0, signal);

    const patch = fake.requests.find(({ verb }) => verb === "patch");
    assert.equal(patch?.contentType, "application/json-patch+json");
    assert.deepEqual(patch?.body, [
      { op: "test", path: "/metadata/resourceVersion", value: "1" },
      { op: "add", path: "/spec/replicas", value: 0 },
    ]);
  });

  it("do not wait for pods that have ended and stay", async () => {
    fake.addWorkload(server, 1).evictPod();

    await workloads.scale(server, 1, 0, signal);
    await workloads.awaitStopped(server, LONG_MS, signal);

    assert.equal((await workloads.read(server, signal)).pods, 0);
  });

  it("wait for pods that take their time to end", async () => {
    const added = fake.addWorkload(server, 1, { stopMs: "never" });
    await workloads.scale(server, 1, 0, signal);

    const stopped = workloads.awaitStopped(server, LONG_MS, signal);
    await untilListed(fake, 2);
    added.endPods();

    await stopped;
  });

  it("notice a controller that scales back at once", async () => {
    fake.addWorkload(server, 2, { scaledBackTo: 2 });

    await workloads.scale(server, 2, 0, signal);

    await assert.rejects(workloads.awaitStopped(server, LONG_MS, signal), { code: "workload_changed" });
  });

  it("say that autoscalers are not known when they may not be listed", async () => {
    fake.addWorkload(server, 1);
    fake.deny("list horizontalpodautoscalers");

    assert.deepEqual(await workloads.read(server, signal), { replicas: 1, pods: 1, autoscalers: undefined });
  });

  it("say how many pods were not made when the reason may not be read", async () => {
    fake.addWorkload(server, 0, { startMs: "quota" });
    fake.deny("list events");
    await workloads.scale(server, 0, 2, signal);

    const call = workloads.awaitReady(server, 2, 0, signal);

    await assert.rejects(call, { code: "workload_not_ready", message: /2 pods were not made/ });
  });

  it("say which right is lacking", async () => {
    fake.addWorkload(server, 1);
    fake.deny("patch deployments/scale");

    const call = workloads.scale(server, 1, 0, signal);

    await assert.rejects(call, {
      code: "workload_forbidden",
      message: /cannot patch resource "deployments\/scale"/,
    });
    assert.equal((await workloads.read(server, signal)).replicas, 1);
  });

  for (const how of ["is overloaded", "rejects tokens"] as const) {
    it(`go on waiting while the API ${how}`, async () => {
      const added = fake.addWorkload(server, 1, { stopMs: "never" });
      await workloads.scale(server, 1, 0, signal);
      const stopped = workloads.awaitStopped(server, LONG_MS, signal);
      await untilListed(fake, 1);

      fake.behave(how);
      await untilListed(fake, 2, "deployments/scale");
      added.endPods();
      fake.behave("answers");

      await stopped;
    });
  }

  for (const how of ["is silent", "is overloaded", "rejects tokens"] as const) {
    it(`say that the cluster is unreachable when it ${how}`, async () => {
      const impatient = kubernetesWorkloads(
        clusterCaller({ kubeconfig: fake.kubeconfig, timeoutMs: 100 }),
        10,
      );
      fake.addWorkload(server, 1);
      fake.behave(how);

      await assert.rejects(impatient.read(server, signal), { code: "cluster_unreachable" });
      await assert.rejects(impatient.awaitStopped(server, 50, signal), { code: "cluster_unreachable" });
    });
  }

  it("end with the reason of the caller's signal", async () => {
    fake.addWorkload(server, 1);
    const stop = new AbortController();
    fake.behave("is silent");

    const call = workloads.read(server, stop.signal);
    await untilListed(fake, 1, "deployments/scale");
    stop.abort(new Error("enough"));

    await assert.rejects(call, { message: "enough" });
  });
});

/** Until so many further requests for a resource have come in. */
async function untilListed(fake: FakeKubernetes, count: number, resource = "pods"): Promise<void> {
  const seen = () => fake.requests.filter((request) => request.resource === resource).length;
  const wanted = seen() + count;
  while (seen() < wanted) await new Promise((resolve) => setTimeout(resolve, 5));
}
