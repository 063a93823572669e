import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterCaller } from "../../../../shared/kubernetes/client.ts";
import { knativeWakeUpSource } from "../../../../functions/restore/workloads/wake-up-source.ts";
import { startFakeKubernetes } from "../../../support/fake-kubernetes.ts";

const signal = new AbortController().signal;

describe("the ping source of a run", () => {
  it("is gone without, and that is said, where the API answers 5xx, as it does for a webhook that is away", async () => {
    await using fake = await startFakeKubernetes();
    const source = knativeWakeUpSource(clusterCaller({ kubeconfig: fake.kubeconfig }), "restore");
    fake.behave("is overloaded");

    const { missing } = await source.ensure("restore-0123456789abcdef01234567", signal);

    assert.match(missing ?? "", /the Kubernetes API did not answer: status 503/);
  });
});
