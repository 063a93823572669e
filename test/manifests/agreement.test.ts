import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { listSecrets } from "../../cli/doctor/needs.ts";
import {
  containersOf,
  installable,
  lackOfKubectl,
  MANIFESTS,
  render,
  type Manifest,
} from "../support/manifests.ts";

type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
};

const ACCOUNTS = ["dormouse-backup", "dormouse-cull", "dormouse-restore"];

type Subject = { readonly name: string };

describe("the manifests agree with themselves:", async () => {
  const skip = (await lackOfKubectl()) ?? false;
  const folders = await installable();

  for (const folder of folders) {
    it(
      `in ${folder} restore may scale the workloads that it is to stop, and no others`,
      { skip },
      async () => {
        const manifests = await render(folder);
        const workloads =
          readData(manifests, /^dormouse-restore-settings/)["APP_WORKLOADS"]?.split(",") ?? [];
        const rules = rulesOf(manifests, "dormouse-restore").filter(({ resources }) =>
          resources.some((resource) => resource.endsWith("/scale")),
        );

        assert.notEqual(rules.length, 0);
        for (const rule of rules) {
          assert.deepEqual(rule.resourceNames?.toSorted(), workloads.map(formatName).toSorted());
          assert.deepEqual(rule.verbs, ["get", "patch"]);
        }
      },
    );

    it(`in ${folder} only restore has rights, and each function may review tokens`, { skip }, async () => {
      const manifests = await render(folder);

      const boundBy = (wanted: string) =>
        manifests
          .filter(({ kind }) => kind === wanted)
          .flatMap((binding) => (binding["subjects"] as readonly Subject[]).map(({ name }) => name));
      const roles = manifests
        .filter(({ kind }) => kind === "ClusterRoleBinding")
        .map((each) => each["roleRef"]);

      assert.deepEqual(boundBy("RoleBinding"), ["dormouse-restore"]);
      assert.deepEqual(boundBy("ClusterRoleBinding"), ACCOUNTS);
      assert.deepEqual(
        roles.map((role) => (role as Subject).name),
        ["system:auth-delegator"],
      );
    });

    it(`in ${folder} every function reviews tokens, and an operator has all verbs`, { skip }, async () => {
      const manifests = await render(folder);
      const verbs = rulesOf(manifests, "dormouse-operator").map(({ resourceNames, verbs: given }) => [
        resourceNames?.join(),
        given,
      ]);

      assert.equal(readData(manifests, /^dormouse-settings/)["AUTH"], "kubernetes");
      assert.deepEqual(verbs, [
        ["dormouse-backup", ["get", "backup", "pin", "notify"]],
        ["dormouse-cull", ["get", "cull", "pin", "notify"]],
        ["dormouse-restore", ["get", "restore", "notify"]],
      ]);
    });

    it(`in ${folder} each function knows the time limit of its service`, { skip }, async () => {
      const manifests = await render(folder);
      const limit = Number(readData(manifests, /^dormouse-settings/)["TIMEOUT_SECONDS"]);

      for (const { metadata, spec } of manifests.filter(({ apiVersion }) =>
        apiVersion.startsWith("serving."),
      )) {
        const { template } = spec as { template: { spec: Readonly<Record<string, unknown>> } };
        if (metadata.name === "dormouse-chat") continue;
        assert.equal(template.spec["timeoutSeconds"], limit, metadata.name);
        assert.equal(template.spec["responseStartTimeoutSeconds"], limit, metadata.name);
      }
    });

    it(`in ${folder} no service has an address outside of the cluster`, { skip }, async () => {
      const services = (await render(folder)).filter(({ apiVersion }) => apiVersion.startsWith("serving."));

      for (const { metadata } of services) {
        const { labels = {} } = metadata as { labels?: Record<string, string> };
        assert.equal(labels["networking.knative.dev/visibility"], "cluster-local", metadata.name);
      }
    });
  }

  it("the example of the Secrets has every key that a service reads", { skip }, async () => {
    const text = await readFile(join(MANIFESTS, "base/secrets.example.yaml"), "utf8");
    const examples = parseAllDocuments(text).map((document) => document.toJS() as Example);

    const needed = listSecrets(await render("base"));

    assert.deepEqual(
      [...new Set(needed.map(({ name }) => name))].toSorted(),
      examples.map(({ metadata }) => metadata.name).toSorted(),
    );
    for (const { name, keys } of needed) {
      const { stringData = {} } = examples.find(({ metadata }) => metadata.name === name) ?? {};
      assert.deepEqual(
        keys.filter((key) => !(key in stringData)),
        [],
        name,
      );
    }
  });

  it("the example makes the roles that docs/roles.md makes", async () => {
    const page = await readFile(new URL("../../docs/roles.md", import.meta.url), "utf8");
    const [, shown = ""] = /```sql\n(.*?)```/s.exec(page) ?? [];
    const made = await readFile(join(MANIFESTS, "example/roles.sql"), "utf8");

    assert.notEqual(shown, "");
    assert.ok(made.includes(shown.replaceAll(/'[-a-z]+'/g, "'example'")));
  });

  it("backup and restore have a Secret each, and no other function has either", { skip }, async () => {
    const services = (await render("base")).filter(({ apiVersion }) => apiVersion.startsWith("serving."));

    const ofDatabase = services.map((service) => [
      service.metadata.name,
      [...new Set(listSecrets([service]).map(({ name }) => name))].filter((name) =>
        name.endsWith("-database"),
      ),
    ]);

    assert.deepEqual(ofDatabase, [
      ["dormouse-backup", ["dormouse-backup-database"]],
      ["dormouse-cull", []],
      ["dormouse-restore", ["dormouse-restore-database"]],
    ]);
  });

  it(
    "cull knows the names of the databases that backup backs up and of its server, and nothing else of it",
    { skip },
    async () => {
      const manifests = await render("base");
      const given = manifests
        .flatMap(containersOf)
        .flatMap(({ args = [], env = [] }) => (args.includes("cull/index.mjs") ? env : []))
        .filter(({ valueFrom }) => valueFrom !== undefined);

      assert.deepEqual(
        given.map(({ name }) => name),
        ["POSTGRESQL_DATABASE", "POSTGRESQL_DATABASES", "DATABASE_SERVICE_NAME"],
      );
      for (const { name, valueFrom } of given) {
        const { name: map = "", key = "", optional = false } = valueFrom?.configMapKeyRef ?? {};
        assert.equal(key, name);
        // Of the first two an installation sets one: the base sets the first.
        assert.equal(optional, name.startsWith("POSTGRESQL_DATABASE"));
        const isSet = readData(manifests, new RegExp(`^${map}$`))[key] !== undefined;
        assert.equal(isSet, name !== "POSTGRESQL_DATABASES");
      }
    },
  );

  it("each Route of OpenShift would wait as long as its service does", { skip }, async () => {
    const services = (await render("overlays/openshift")).filter(({ apiVersion }) =>
      apiVersion.startsWith("serving."),
    );

    assert.equal(services.length, 3);
    for (const { metadata, spec } of services) {
      const { annotations } = metadata as { annotations?: Record<string, string> };
      const { template } = spec as { template: { spec: { timeoutSeconds: number } } };
      const waits = annotations?.["serving.knative.openshift.io/setRouteTimeout"];
      assert.equal(waits, `${template.spec.timeoutSeconds}`, metadata.name);
    }
  });
});

type Example = {
  readonly metadata: { readonly name: string };
  readonly stringData?: Readonly<Record<string, string>>;
};

/** `deployment/server` */
function formatName(workload: string): string {
  return workload.split("/")[1] ?? "";
}

function rulesOf(manifests: readonly Manifest[], name: string): readonly Rule[] {
  const role = manifests.find(({ kind, metadata }) => kind === "Role" && metadata.name === name);
  return (role?.["rules"] ?? []) as readonly Rule[];
}

function readData(manifests: readonly Manifest[], name: RegExp): Readonly<Record<string, string>> {
  const map = manifests.find(({ kind, metadata }) => kind === "ConfigMap" && name.test(metadata.name));
  return (map?.["data"] ?? {}) as Readonly<Record<string, string>>;
}
