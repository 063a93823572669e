import assert from "node:assert/strict";
import { execa } from "execa";
import { cp, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { applicable, lackOfKubectl, render, type Manifest } from "../support/manifests.ts";
import { temporaryFolder } from "../support/volume.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const KNATIVE = ["serving", "sources", "sinks", "eventing"].map((group) => `${group}.knative.dev`);

// The models' own validators let unknown fields pass. Their types do not: the compiler refuses a field of an object
// literal that its type does not have, at any depth.
describe("the manifests", async () => {
  const skip = (await lackOfKubectl()) ?? false;
  let rendered: readonly (readonly [folder: string, manifests: readonly Manifest[]])[] = [];
  before(async () => {
    if (skip !== false) return;
    rendered = await Promise.all(
      (await applicable()).map(async (folder) => [folder, await render(folder)] as const),
    );
  });

  it("have no field that Kubernetes or Knative does not know, and lack none", { skip }, async () => {
    const literals = rendered.flatMap(([folder, manifests]) =>
      manifests.map((manifest) => literalOf(manifest, folder)),
    );

    const faults = await compile(literals);

    assert.equal(faults, "");
  });

  const wrong: readonly (readonly [what: string, manifest: Manifest])[] = [
    ["imagee", service({ containers: [{ name: "a", image: "a", imagee: "b" }] })],
    ["timeoutSecond", service({ timeoutSecond: 600, containers: [{ name: "a" }] })],
    [
      "delivery",
      {
        apiVersion: "sources.knative.dev/v1",
        kind: "PingSource",
        metadata: { name: "a" },
        spec: { schedule: "* * * * *", delivery: {}, sink: {} },
      },
    ],
    [
      "resource",
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "Role",
        metadata: { name: "a" },
        rules: [{ apiGroups: [""], resource: ["pods"], verbs: ["list"] }],
      },
    ],
  ];
  for (const [what, manifest] of wrong) {
    it(`would be caught with the field ${what}`, async () => {
      assert.match(await compile([literalOf(manifest, "test")]), new RegExp(`'"?${what}"?' does not exist`));
    });
  }
});

function service(spec: object): Manifest {
  return {
    apiVersion: "serving.knative.dev/v1",
    kind: "Service",
    metadata: { name: "a" },
    spec: { template: { spec } },
  };
}

/** The manifest as a line of TypeScript that says which type it has. */
function literalOf(manifest: Manifest, folder: string): string {
  const { apiVersion, kind } = manifest;
  const group = apiVersion.split("/")[0] ?? "";
  const models = KNATIVE.includes(group) ? "@kubernetes-models/knative" : "kubernetes-models";
  // Some models want the status, which only the controller writes.
  const type = `Omit<import("${models}/${apiVersion}/${kind}").I${kind}, "status">`;
  return `/* ${folder}: ${kind} ${manifest.metadata.name} */ ((_: ${type}) => _)(${JSON.stringify(manifest, null, 2)});`;
}

/** What the compiler says; nothing when it has nothing to say. */
async function compile(literals: readonly string[]): Promise<string> {
  await using folder = await temporaryFolder();
  const config = { extends: "./root.json", include: ["manifests.ts"] };
  await cp(join(ROOT, "tsconfig.json"), join(folder.path, "root.json"));
  await symlink(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
  await writeFile(join(folder.path, "package.json"), JSON.stringify({ type: "module" }));
  await writeFile(join(folder.path, "tsconfig.json"), JSON.stringify(config));
  await writeFile(join(folder.path, "manifests.ts"), `${literals.join("\n")}\nexport {};\n`);
  const { stdout } = await execa("node_modules/.bin/tsc", ["--noEmit", "-p", "."], {
    cwd: folder.path,
    reject: false,
  });
  return stdout;
}
