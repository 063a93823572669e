import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { applicable, lackOfKubectl, render, type Manifest } from "../support/manifests.ts";

type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
};

describe("the manifests agree with themselves:", async () => {
  const skip = (await lackOfKubectl()) ?? false;
  const folders = (await applicable()).filter((folder) => folder !== "example");

  for (const folder of folders) {
    it(
      `in ${folder} restore may scale the workloads that it is to stop, and no others`,
      { skip },
      async () => {
        const manifests = await render(folder);
        const workloads = dataOf(manifests, /^dormouse-restore/)["APP_WORKLOADS"]?.split(",") ?? [];
        const rules = rulesOf(manifests, "dormouse-restore").filter(({ resources }) =>
          resources.some((resource) => resource.endsWith("/scale")),
        );

        assert.notEqual(rules.length, 0);
        for (const rule of rules) {
          assert.deepEqual(rule.resourceNames?.toSorted(), workloads.map(nameOf).toSorted());
          assert.deepEqual(rule.verbs, ["get", "patch"]);
        }
      },
    );

    it(`in ${folder} only restore has rights, and only it has a token`, { skip }, async () => {
      const manifests = await render(folder);

      const roles = manifests.filter(({ kind }) => kind === "Role").map(({ metadata }) => metadata.name);
      const tokens = manifests
        .filter(({ kind }) => kind === "ServiceAccount")
        .filter((account) => account["automountServiceAccountToken"] !== false)
        .map(({ metadata }) => metadata.name);

      assert.deepEqual(roles, ["dormouse-restore"]);
      assert.deepEqual(tokens, ["dormouse-restore"]);
    });

    it(`in ${folder} everything that a name points to is there`, { skip }, async () => {
      const manifests = await render(folder);
      const there = new Set(manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`));

      const missing = manifests.flatMap(({ spec }) => refsOf(spec)).filter((ref) => !there.has(ref));

      assert.deepEqual(missing, []);
    });

    it(`in ${folder} no service has an address outside of the cluster`, { skip }, async () => {
      const services = (await render(folder)).filter(({ apiVersion }) => apiVersion.startsWith("serving."));

      for (const { metadata } of services) {
        const { labels = {} } = metadata as { labels?: Record<string, string> };
        assert.equal(labels["networking.knative.dev/visibility"], "cluster-local", metadata.name);
      }
    });
  }
});

/** `deployment/server` */
function nameOf(workload: string): string {
  return workload.split("/")[1] ?? "";
}

function rulesOf(manifests: readonly Manifest[], name: string): readonly Rule[] {
  const role = manifests.find(({ kind, metadata }) => kind === "Role" && metadata.name === name);
  return (role?.["rules"] ?? []) as readonly Rule[];
}

function dataOf(manifests: readonly Manifest[], name: RegExp): Readonly<Record<string, string>> {
  const map = manifests.find(({ kind, metadata }) => kind === "ConfigMap" && name.test(metadata.name));
  return (map?.["data"] ?? {}) as Readonly<Record<string, string>>;
}

/** What sinks, subjects, subscribers, brokers, accounts and claims name. */
function refsOf(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]: [string, unknown]) => {
    if ((key === "ref" || key === "subject") && isNamed(each)) return [`${each.kind}/${each.name}`];
    if (key === "broker") return [`Broker/${String(each)}`];
    if (key === "serviceAccountName") return [`ServiceAccount/${String(each)}`];
    if (key === "claimName") return [`PersistentVolumeClaim/${String(each)}`];
    return refsOf(each);
  });
}

function isNamed(value: unknown): value is { readonly kind: string; readonly name: string } {
  return typeof value === "object" && value !== null && "kind" in value && "name" in value;
}
