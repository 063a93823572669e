import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lackOfKubectl, render, type Manifest } from "../support/manifests.ts";

type Way = { readonly from?: unknown; readonly to?: unknown; readonly ports?: readonly { port: number }[] };
type Policy = {
  readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly policyTypes: readonly string[];
  readonly ingress: readonly Way[];
  readonly egress: readonly Way[];
};

const DATABASE_PORT = 5432;

describe("the overlay network-policies", async () => {
  const skip = (await lackOfKubectl()) ?? false;

  it("lets each function be reached by Knative alone, and by all that Knative needs", { skip }, async () => {
    const policies = policiesIn(await render("overlays/network-policies"));

    assert.deepEqual(
      policies.map(([name, { podSelector }]) => [name, podSelector.matchLabels]),
      ["backup", "cull", "restore"].map((name) => [
        `dormouse-${name}`,
        { "serving.knative.dev/service": `dormouse-${name}` },
      ]),
    );
    for (const [, { policyTypes, ingress }] of policies) {
      assert.deepEqual(policyTypes, ["Ingress", "Egress"]);
      assert.equal(ingress.length, 1);
      assert.match(JSON.stringify(ingress[0]?.from), /"knative-serving"/);
      assert.deepEqual(portsOf(ingress), [8012, 8112, 9090]);
    }
  });

  it("lets backup and restore reach the database, and cull not", { skip }, async () => {
    const policies = policiesIn(await render("overlays/network-policies"));

    const reaching = policies.filter(([, { egress }]) => portsOf(egress).includes(DATABASE_PORT));

    assert.deepEqual(
      reaching.map(([name]) => name),
      ["dormouse-backup", "dormouse-restore"],
    );
  });

  it("opens no port to everywhere but those of the API and of a bucket", { skip }, async () => {
    for (const [name, { egress }] of policiesIn(await render("overlays/network-policies"))) {
      const open = egress.filter(({ to }) => to === undefined);
      assert.deepEqual(portsOf(open), [443, 6443, 9000], name);
      for (const { ports } of open) assert.ok(ports !== undefined, name);
    }
  });
});

function policiesIn(manifests: readonly Manifest[]): readonly (readonly [name: string, policy: Policy])[] {
  return manifests
    .filter(({ kind }) => kind === "NetworkPolicy")
    .map(({ metadata, spec }) => [metadata.name, spec as Policy] as const);
}

function portsOf(ways: readonly Way[]): readonly number[] {
  return ways.flatMap(({ ports = [] }) => ports.map(({ port }) => port));
}
