import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Workload, Workloads } from "../../functions/restore/workloads/workload.ts";
import { DormouseError } from "../../shared/errors.ts";
import { kubernetesWorkloads } from "../../functions/restore/workloads/workloads.ts";
import type { KubernetesWorld } from "./kubernetes-world.ts";

const signal = new AbortController().signal;
const deployment = (name: string): Workload => ({ kind: "deployment", name });

/** What `Workloads` promises, against any API that claims to be that of Kubernetes. */
export function describeWorkloads(where: string, open: () => Promise<KubernetesWorld>): void {
  describe(`workloads ${where}`, () => {
    let world: KubernetesWorld;
    let workloads: Workloads;

    before(async () => {
      world = await open();
      workloads = kubernetesWorkloads(world.call, 100);
    });
    after(() => world[Symbol.asyncDispose]());

    for (const kind of ["deployment", "statefulset"] as const) {
      it(`stops a ${kind}, waits for its pods, and starts it with as many replicas as before`, async () => {
        const server: Workload = { kind, name: `${kind}-round` };
        await world.deploy(server, 2);
        await workloads.awaitReady(server, 2, world.patienceMs, signal);

        const running = await workloads.read(server, signal);
        await workloads.scale(server, 2, 0, signal);
        await workloads.awaitStopped(server, world.patienceMs, signal);
        const stopped = await workloads.read(server, signal);
        await workloads.scale(server, 0, 2, signal);
        await workloads.awaitReady(server, 2, world.patienceMs, signal);

        assert.deepEqual(running, { replicas: 2, pods: 2, autoscalers: [] });
        assert.deepEqual(stopped, { replicas: 0, pods: 0, autoscalers: [] });
        assert.equal((await workloads.read(server, signal)).replicas, 2);
      });
    }

    it("changes nothing when the replicas are others than expected", async () => {
      await world.deploy(deployment("other"), 1);

      const call = workloads.scale(deployment("other"), 3, 0, signal);

      await assert.rejects(call, { code: "workload_changed", message: /set to 1, not to 3/ });
      assert.equal((await workloads.read(deployment("other"), signal)).replicas, 1);
    });

    it("lets one of two win that scale at once", async () => {
      await world.deploy(deployment("race"), 2);

      const calls = await Promise.allSettled([
        workloads.scale(deployment("race"), 2, 0, signal),
        workloads.scale(deployment("race"), 2, 1, signal),
      ]);

      const won = calls.findIndex(({ status }) => status === "fulfilled");
      assert.deepEqual(calls.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
      assert.equal((await workloads.read(deployment("race"), signal)).replicas, won);
    });

    it("distinguishes a workload that is not there from one that it may not see", async () => {
      const forbidden = kubernetesWorkloads(world.callWithoutRights);
      await world.deploy(deployment("hidden"), 0);

      await assert.rejects(workloads.read(deployment("nowhere"), signal), { code: "workload_not_found" });
      await assert.rejects(workloads.scale(deployment("nowhere"), 1, 0, signal), {
        code: "workload_not_found",
      });
      await assert.rejects(forbidden.read(deployment("hidden"), signal), { code: "workload_forbidden" });
      await assert.rejects(forbidden.scale(deployment("hidden"), 0, 1, signal), {
        code: "workload_forbidden",
      });
    });

    it("does not take a pod for gone that is still ending, and names it", async () => {
      await world.deploy(deployment("slow"), 1, "never ending");
      await workloads.awaitReady(deployment("slow"), 1, world.patienceMs, signal);
      await workloads.scale(deployment("slow"), 1, 0, signal);

      const call = workloads.awaitStopped(deployment("slow"), 1_500, signal);

      await assert.rejects(call, { code: "workload_not_stopped", message: /slow-[a-z0-9]+-[a-z0-9]+/ });
      assert.deepEqual(await workloads.read(deployment("slow"), signal), {
        replicas: 0,
        pods: 1,
        autoscalers: [],
      });
    });

    it("ends waiting when what was stopped is scaled up", async () => {
      await world.deploy(deployment("wanted"), 1, "never ending");
      await workloads.awaitReady(deployment("wanted"), 1, world.patienceMs, signal);
      await workloads.scale(deployment("wanted"), 1, 0, signal);
      await world.setReplicas(deployment("wanted"), 1);

      const call = workloads.awaitStopped(deployment("wanted"), world.patienceMs, signal);

      await assert.rejects(call, { code: "workload_changed", message: /set to 1 again/ });
    });

    const troubles = [
      ["image", /container app is in (?:ImagePullBackOff|ErrImagePull|ErrImageNeverPull)/],
      ["crash", /container app .*ended with exit code [1-9]/],
      ["unschedulable", /cannot be scheduled: 0\/\d+ nodes are available/],
      ["quota", /exceeded quota/],
    ] as const;
    for (const [trouble, why] of troubles) {
      it(`says why a pod does not come up: ${trouble}`, async () => {
        const name = `trouble-${trouble}`;
        await world.deploy(deployment(name), 0, trouble);
        await workloads.scale(deployment(name), 0, 1, signal);

        const error = await untilSaid(why, () =>
          workloads.awaitReady(deployment(name), 1, 300, signal).catch((fault: unknown) => fault),
        );

        assert.equal(error.code, "workload_not_ready");
      });
    }

    /** A real controller takes its time to run into trouble. */
    async function untilSaid(why: RegExp, look: () => Promise<unknown>): Promise<DormouseError> {
      const endsAt = performance.now() + world.patienceMs;
      for (;;) {
        const error = await look();
        if (error instanceof DormouseError && why.test(error.message)) return error;
        assert.ok(performance.now() < endsAt, String(error));
      }
    }

    it("names the autoscaler of a workload", async () => {
      await world.deploy(deployment("scaled"), 1);
      await world.addAutoscaler("busy", deployment("scaled"));

      const { autoscalers } = await workloads.read(deployment("scaled"), signal);

      assert.deepEqual(autoscalers, ["horizontalpodautoscaler/busy"]);
    });
  });
}
