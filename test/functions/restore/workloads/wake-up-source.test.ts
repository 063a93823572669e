import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterCaller } from "../../../../shared/kubernetes/client.ts";
import { knativeWakeUpSource } from "../../../../functions/restore/workloads/wake-up-source.ts";
import { startFakeKubernetes } from "../../../support/fake-kubernetes.ts";
import { until } from "../../../support/faulty.ts";

const signal = new AbortController().signal;

describe("the ping source of a run", () => {
  it("is gone without, and that is said, where the API answers 5xx, as it does for a webhook that is away", async () => {
    await using fake = await startFakeKubernetes();
    const source = knativeWakeUpSource(clusterCaller({ kubeconfig: fake.kubeconfig }), "restore");
    fake.behave("is overloaded");

    const { missing } = await source.ensure("restore-0123456789abcdef01234567", signal);

    assert.match(missing ?? "", /the Kubernetes API did not answer: status 503/);
  });

  it("is made anew where the one of a restore that has just ended is still going", async () => {
    await using fake = await startFakeKubernetes();
    const source = knativeWakeUpSource(clusterCaller({ kubeconfig: fake.kubeconfig }), "restore");
    fake.pingSources.set("restore", { metadata: { deletionTimestamp: "2026-11-28T01:00:00Z" } });
    const tries = () =>
      fake.requests.filter(({ verb, resource }) => verb === "create" && resource === "pingsources").length;

    const ensured = source.ensure("restore-0123456789abcdef01234567", signal);
    await until(() => tries() > 1);
    fake.pingSources.delete("restore");

    assert.deepEqual(await ensured, {});
    const { metadata } = fake.pingSources.get("restore") as { metadata: { labels: Record<string, string> } };
    assert.equal(metadata.labels["dormouse.dev/run"], "restore-0123456789abcdef01234567");
  });
});
