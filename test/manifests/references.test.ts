import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  installable,
  lackOfKubectl,
  MANIFESTS,
  render,
  rendered,
  type Manifest,
} from "../support/manifests.ts";
import { referencesIn } from "../support/references.ts";

const PREFIX = "first-";
const SUFFIX = "-reports";
const NAMESPACE = "elsewhere";

describe("names in the manifests", async () => {
  const skip = (await lackOfKubectl()) ?? false;
  const folders = await installable();
  const components = await readdir(join(MANIFESTS, "components"));
  const all = components.toSorted((a, b) => Number(a === "fsgroup") - Number(b === "fsgroup"));

  const compositions = [
    ...[...folders, "volume"].map((folder) => ({ resources: [`../manifests/${folder}`], components: [] })),
    {
      resources: ["../manifests/base"],
      components: all.map((name) => `../manifests/components/${name}`),
    },
  ];
  for (const composition of compositions) {
    const what = [...composition.resources, ...composition.components].join(" ");

    it(`follow a prefix, a suffix and a namespace in ${what}`, { skip }, async () => {
      const manifests = await rendered({
        namespace: NAMESPACE,
        namePrefix: PREFIX,
        nameSuffix: SUFFIX,
        ...composition,
      });

      assert.deepEqual(
        manifests.map(formatName).filter((name) => !isOfThisInstallation(name)),
        [],
      );
      assert.deepEqual(manifests.filter((each) => !isInNamespace(each)).map(toText), []);
      assert.deepEqual(danglingIn(manifests), []);
    });

    it(`are of one installation alone in ${what}`, { skip }, async () => {
      const [one, other] = await Promise.all(
        ["-one", "-other"].map((nameSuffix) =>
          rendered({ namespace: NAMESPACE, nameSuffix, ...composition }),
        ),
      );

      const ofOther = new Set(everyNameIn(other ?? []));
      assert.deepEqual(
        everyNameIn(one ?? []).filter((each) => ofOther.has(each)),
        [],
      );
    });
  }

  it("are known, not merely absent: a reference that is left behind is found", { skip }, async () => {
    const manifests = await rendered({
      namePrefix: PREFIX,
      nameSuffix: SUFFIX,
      resources: ["../manifests/overlays/broker"],
    });
    const broken = manifests.map((manifest) =>
      manifest.kind === "Trigger" ? { ...manifest, spec: { broker: "another" } } : manifest,
    );

    assert.deepEqual([...new Set(danglingIn(broken))], ["Broker/another"]);
  });

  it(
    "of the claim are in no kustomization of the functions: what removes them leaves it",
    { skip },
    async () => {
      for (const folder of folders) {
        const kinds = (await render(folder)).map(({ kind }) => kind);
        assert.ok(!kinds.includes("PersistentVolumeClaim"), folder);
        assert.ok(kinds.includes("PingSource"), folder);
      }
      for (const folder of ["volume", "volume-rwo"])
        assert.deepEqual((await render(folder)).map(toText), ["PersistentVolumeClaim/dormouse-backups"]);
    },
  );
});

/** Of objects, and of what they point to; roles of the cluster itself are everybody's. */
function everyNameIn(manifests: readonly Manifest[]): readonly string[] {
  const names = [...manifests.map(toText), ...manifests.flatMap(referencesIn)];
  return names.filter((name) => !name.startsWith("ClusterRole/"));
}

/** What is named and neither rendered nor one of those that people make themselves: Secrets and the claim. */
function danglingIn(manifests: readonly Manifest[]): readonly string[] {
  const there = new Set(manifests.map(toText));
  return manifests
    .flatMap(referencesIn)
    .filter((reference) => !there.has(reference) && !isMadeByHand(reference));
}

/** Named with the prefix and the suffix of the installation, where it has them. */
function isMadeByHand(reference: string): boolean {
  const [kind = "", name = ""] = reference.split("/");
  if (kind === "ClusterRole") return true;
  return ["Secret", "PersistentVolumeClaim"].includes(kind) && isOfThisInstallation(name);
}

/** kustomize puts the hash of a ConfigMap behind the suffix. */
function isOfThisInstallation(name: string): boolean {
  return name.startsWith(PREFIX) && name.replace(/-[0-9a-z]{10}$/, "").endsWith(SUFFIX);
}

function isInNamespace({ kind, metadata }: Manifest): boolean {
  return kind.startsWith("Cluster") || metadata.namespace === NAMESPACE;
}

function formatName({ metadata }: Manifest): string {
  return metadata.name;
}

function toText({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}
