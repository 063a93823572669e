import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { parseWorkloadChoice } from "../../functions/restore/workloads/workload-choice.ts";
import { workloadText } from "../../functions/restore/workloads/workload.ts";
import { containersOf, lackOfKubectl, rendered, type Manifest } from "../support/manifests.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const IMAGE = { name: "dormouse", newName: "registry.example.com/hets/dormouse", newTag: "1.2.3" };
const OPTIONS = ["jobsink", "s3", "rwo", "broker"];
/** What components/rwo and the Job say of the node. */
const TOGETHER = { matchLabels: { "dormouse-volume": "dormouse-backups" } };

type Destination = {
  readonly audience?: string;
  readonly ref: { readonly kind: string; readonly name: string };
};
type Kustomization = { readonly resources: readonly string[]; readonly [field: string]: unknown };
type PodTemplate = {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly securityContext?: unknown;
    readonly automountServiceAccountToken?: boolean;
    readonly affinity?: unknown;
    readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[];
  };
};

describe("an operator’s own kustomization", async () => {
  const skip = (await lackOfKubectl()) ?? false;

  const platforms = [
    ["kubernetes", { fsGroup: 65_532 }],
    ["openshift", undefined],
  ] as const;
  for (const [platform, group] of platforms) {
    for (const options of [OPTIONS, OPTIONS.toReversed()]) {
      const components = [...options, ...(platform === "kubernetes" ? ["fsgroup"] : [])];

      it(`takes ${components.join(", ")} on ${platform} in this order`, { skip }, async () => {
        const manifests = await rendered({
          resources: [`../manifests/overlays/${platform}`],
          components: components.map((name) => `../manifests/components/${name}`),
          images: [IMAGE],
        });

        const onVolume = manifests.flatMap(templatesOf).filter(usesVolume);
        assert.equal(onVolume.length, 4, "three services and a Job");
        for (const { metadata, spec } of onVolume) {
          assert.deepEqual(spec.securityContext, group);
          assert.equal(metadata.labels?.["dormouse-volume"], "dormouse-backups");
          assert.match(JSON.stringify(spec.affinity), new RegExp(JSON.stringify(TOGETHER)));
          assert.match(JSON.stringify(spec), /"secretRef":\{"name":"dormouse-s3-(?:backup|cull|restore)"\}/);
        }
        assert.doesNotMatch(
          JSON.stringify(manifests.flatMap(templatesOf).filter((template) => !usesVolume(template))),
          /dormouse-s3|dormouse-volume|fsGroup/,
        );
        assert.deepEqual(sinksOf(manifests), ["dormouse"]);
        assert.deepEqual(imagesOf(manifests), [`${IMAGE.newName}:${IMAGE.newTag}`]);
      });
    }
  }

  it("knows callers by a file where no binding for token reviews is allowed", { skip }, async () => {
    const manifests = await rendered({
      resources: ["../manifests/overlays/openshift"],
      components: ["../manifests/components/jobsink", "../manifests/components/token"],
      images: [IMAGE],
    });

    const pods = manifests
      .filter(({ kind }) => kind === "Service")
      .flatMap(templatesOf)
      .filter(usesVolume);
    assert.equal(pods.length, 3);
    for (const { spec } of pods) assert.match(JSON.stringify(spec), /"secretName":"dormouse-callers"/);
    assert.deepEqual(
      pods.map(({ spec }) => spec.automountServiceAccountToken),
      [false, false, undefined],
    );
    assert.ok(settingsOf(manifests).includes("AUTH=token"));
    assert.ok(settingsOf(manifests).includes("AUTH_TOKEN_FILE=/secrets/callers/tokens"));
    assert.deepEqual(
      manifests.filter(({ kind }) => kind.startsWith("Cluster")),
      [],
    );
  });

  it("asks senders of events for a token that all of them have, with a broker too", { skip }, async () => {
    for (const others of [[], ["broker"], ["jobsink"]]) {
      const components = [...others, "events-oidc"].map((name) => `../manifests/components/${name}`);
      const manifests = await rendered({ resources: ["../manifests/overlays/kubernetes"], components });

      const settings = settingsOf(manifests);
      const subjects = settings.find((setting) => setting.startsWith("AUTH_EVENT_SUBJECTS=")) ?? "";
      assert.ok(settings.includes("AUTH_EVENTS=kubernetes"));
      for (const { kind, metadata, spec } of manifests) {
        const { sink, subscriber } = (spec ?? {}) as { sink?: Destination; subscriber?: Destination };
        const to = sink ?? subscriber;
        if (to === undefined) continue;
        const isForUs = /^dormouse-(backup|cull|restore)$/.test(to.ref.name) && to.ref.kind === "Service";
        // A Broker and a JobSink name their own.
        assert.equal(to.audience, isForUs ? "dormouse" : undefined, `${kind} ${metadata.name}`);
        if (isForUs) assert.match(subjects, new RegExp(`[=,]${metadata.name}-oidc-\\*`));
      }
    }
  });

  for (const page of ["docs/encryption.md", "docs/knative.md", "docs/openshift.md", "docs/tasks.md"]) {
    it(`is what ${page} shows, and does what it says there`, { skip }, async () => {
      const shown = await kustomizationsOf(page);
      assert.notEqual(shown.length, 0);
      for (const kustomization of shown) {
        const manifests = await rendered(kustomization);

        const [image] = kustomization["images"] as readonly { newName: string; newTag: string }[];
        assert.deepEqual(imagesOf(manifests), [`${image?.newName}:${image?.newTag}`]);
        const generated = kustomization["configMapGenerator"] as readonly { literals: string[] }[];
        for (const { literals } of generated)
          for (const literal of literals) assert.ok(settingsOf(manifests).includes(literal), literal);
        if (settingsOf(manifests).some((setting) => setting.startsWith("S3_BUCKET=")))
          assert.ok(settingsOf(manifests).includes("S3_PREFIX=hets"));
        const binding = manifests.find(({ kind }) => kind === "ClusterRoleBinding");
        assert.ok(binding?.metadata.name.startsWith(String(kustomization["namespace"]).split("/")[0] ?? ""));
        assert.notEqual(binding?.metadata.name, "dormouse-asks-who-calls");
        assert.deepEqual(unscalable(manifests), []);
      }
    });
  }

  it("does without rehearsals, and with all else, as docs/tasks.md shows", { skip }, async () => {
    const shown = await kustomizationsOf("docs/tasks.md");
    const without = shown.find((each) => JSON.stringify(each).includes("dormouse-rehearsal"));
    const namesOf = (manifests: readonly Manifest[]) =>
      manifests.flatMap((each) => [
        `${each.kind} ${each.metadata.name}`,
        ...containersOf(each).flatMap(({ env = [] }) =>
          env.map(({ name }) => `${each.metadata.name} ${name}`),
        ),
      ]);
    const all = namesOf(await rendered({ ...FRAME, patches: [RENAMED] }));
    const left = new Set(namesOf(await rendered(without ?? assert.fail())));

    assert.deepEqual(all.filter((name) => !left.has(name)).toSorted(), [
      "PingSource dormouse-rehearsal",
      "dormouse-cull REHEARSAL_STALE_DAYS",
    ]);
  });
});

/** What pages show a part of. */
const FRAME = {
  namespace: "hets",
  resources: ["../manifests/overlays/kubernetes"],
  images: [IMAGE],
  configMapGenerator: [],
};
const RENAMED = {
  target: { kind: "ClusterRoleBinding" },
  options: { allowNameChange: true },
  patch: '[{"op": "replace", "path": "/metadata/name", "value": "hets-dormouse-asks-who-calls"}]',
};

async function kustomizationsOf(page: string): Promise<readonly Kustomization[]> {
  const text = await readFile(join(ROOT, page), "utf8");
  const blocks = text.matchAll(/^( *)```yaml\n(.*?)^ *```/gms);
  const parsed = Array.from(blocks, ([, indent = "", block = ""]): unknown =>
    parse(block.replaceAll(new RegExp(`^${indent}`, "gm"), "")),
  );
  return parsed.flatMap((value) => wholeOf(value) ?? []);
}

/** A whole kustomization, some of its fields, or patches alone. */
function wholeOf(shown: unknown): Kustomization | undefined {
  const value = (Array.isArray(shown) ? { patches: shown } : (shown ?? {})) as Readonly<
    Record<string, unknown>
  >;
  const { images, patches, configMapGenerator } = value;
  if (images !== undefined) return value as Kustomization;
  if (patches === undefined && configMapGenerator === undefined) return undefined;
  return { ...FRAME, ...value, patches: [RENAMED, ...((patches ?? []) as readonly object[])] };
}

/** The pods that an object makes, of whatever kind it is. */
function templatesOf({ spec }: Manifest): readonly PodTemplate[] {
  const { template, job } = (spec ?? {}) as {
    readonly template?: PodTemplate;
    readonly job?: { readonly spec: { readonly template: PodTemplate } };
  };
  return [template, job?.spec.template].filter((each) => each !== undefined);
}

function usesVolume({ spec }: PodTemplate): boolean {
  return (spec.volumes ?? []).some(
    ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === "dormouse-backups",
  );
}

function sinksOf(manifests: readonly Manifest[]): readonly string[] {
  const bindings = manifests.filter(({ kind }) => kind === "SinkBinding");
  const names = bindings.map(({ spec }) => (spec as { sink: { ref: { name: string } } }).sink.ref.name);
  return [...new Set(names)];
}

function imagesOf(manifests: readonly Manifest[]): readonly string[] {
  return [...new Set(manifests.flatMap(containersOf).map(({ image }) => image))];
}

function settingsOf(manifests: readonly Manifest[]): readonly string[] {
  const maps = manifests.filter(({ kind }) => kind === "ConfigMap");
  return maps.flatMap(({ data }) =>
    Object.entries(data as Record<string, string>).map(([name, value]) => `${name}=${value}`),
  );
}

/** What restore is to stop and has no right to. */
function unscalable(manifests: readonly Manifest[]): readonly string[] {
  const setting = settingsOf(manifests).find((each) => each.startsWith("APP_WORKLOADS=")) ?? "";
  const role = manifests.find(
    ({ kind, metadata }) => kind === "Role" && metadata.name.startsWith("dormouse-restore"),
  );
  const rules = role?.["rules"] as readonly { resources: string[]; resourceNames?: string[] }[];
  const workloads = parseWorkloadChoice(setting.replace("APP_WORKLOADS=", ""))?.all ?? [];
  assert.notEqual(workloads.length, 0, setting);
  return workloads
    .filter(
      ({ kind, name }) =>
        !rules.some(
          ({ resources, resourceNames = [] }) =>
            resources.includes(`${kind}s/scale`) && resourceNames.includes(name),
        ),
    )
    .map(workloadText);
}
