import type { Manifest } from "./manifests.ts";

type Named = { readonly kind: string; readonly name: string };
type Selecting = { readonly matchLabels?: Readonly<Record<string, string>> };

/** What each field says the name of. */
const KINDS: Readonly<Record<string, string>> = {
  broker: "Broker",
  serviceAccountName: "ServiceAccount",
  claimName: "PersistentVolumeClaim",
  secretName: "Secret",
  "dormouse-volume": "PersistentVolumeClaim",
  "serving.knative.dev/service": "Service",
};
const FIELDS: Readonly<Record<string, string>> = {
  configMapRef: "ConfigMap",
  configMapKeyRef: "ConfigMap",
  configMap: "ConfigMap",
  secretRef: "Secret",
  secretKeyRef: "Secret",
};

/** Every `kind/name` that an object of the manifests points to. */
export function referencesIn(manifest: Manifest): readonly string[] {
  return [...referencesBelow(manifest), ...rulesOf(manifest), ...jobsOf(manifest)];
}

function referencesBelow(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]: [string, unknown]) => {
    if (typeof each === "string") return key in KINDS ? [`${KINDS[key]}/${each}`] : [];
    if (["ref", "subject", "roleRef"].includes(key) && isNamed(each)) return [`${each.kind}/${each.name}`];
    if (key === "subjects") return (each as readonly Named[]).map(({ kind, name }) => `${kind}/${name}`);
    const kind = FIELDS[key];
    if (kind !== undefined) return [`${kind}/${(each as Named).name}`];
    return referencesBelow(each);
  });
}

/** Rights on objects of this installation; the workloads are the application's. */
function rulesOf(manifest: Manifest): readonly string[] {
  const rules = (manifest["rules"] ?? []) as readonly {
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
  return (
    rules
      // The source that restore makes for itself bears the name of its service.
      .filter(({ resources }) => resources.includes("services") || resources.includes("pingsources"))
      .flatMap(({ resourceNames = [] }) => resourceNames.map((name) => `Service/${name}`))
  );
}

/** A SinkBinding finds Jobs, and a Job its SinkBinding, by a label that is the name of the binding. */
function jobsOf({ kind, spec }: Manifest): readonly string[] {
  const { subject, job } = (spec ?? {}) as {
    readonly subject?: { readonly selector?: Selecting };
    readonly job?: { readonly metadata: { readonly labels: Readonly<Record<string, string>> } };
  };
  const labels = kind === "JobSink" ? job?.metadata.labels : subject?.selector?.matchLabels;
  return labels?.["app"] === undefined ? [] : [`SinkBinding/${labels["app"]}`];
}

function isNamed(value: unknown): value is Named {
  return typeof value === "object" && value !== null && "kind" in value && "name" in value;
}
