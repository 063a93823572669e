import { asking, type Cluster } from "../access/cluster.ts";
import { unlessMissing } from "../access/objects.ts";
import type { Manifest } from "./kubectl.ts";
import { good, type Found } from "./seen.ts";

type Claim = {
  readonly spec?: { readonly accessModes?: readonly string[] };
  readonly status?: { readonly phase?: string };
};

/** The claim that the functions share: it is there before they are. */
export async function claimNeeded(
  manifests: readonly Manifest[],
  cluster: Cluster,
): Promise<readonly Found[]> {
  const { core, namespace } = cluster;
  const claims = new Set(listValues(manifests, "claimName").map(String));
  if (claims.size > 1) {
    const detail = `the functions do not share a volume: ${[...claims].join(", ")}`;
    return [{ state: "fault", detail, fix: "let all functions mount one claim" }];
  }
  const [name = "dormouse-backups"] = claims;
  const claim = await asking(cluster, { group: "", resource: "persistentvolumeclaims", verb: "get" }, () =>
    unlessMissing(core.readNamespacedPersistentVolumeClaim({ name, namespace })),
  );
  if (claim === undefined) {
    const fix = `kubectl apply -n ${namespace} -k manifests/volume: once, and apart from the functions`;
    return [{ state: "fault", detail: `there is no claim ${name}`, fix }, ...grouped(manifests)];
  }
  return [bound(name, claim, namespace), ...accessible(name, claim), ...grouped(manifests)];
}

function bound(name: string, { status }: Claim, namespace: string): Found {
  if (status?.phase === "Bound") return good(`claim ${name} is bound`);
  const fix = `kubectl describe -n ${namespace} persistentvolumeclaim ${name}`;
  return { state: "fault", detail: `claim ${name} is ${status?.phase}`, fix };
}

function accessible(name: string, { spec }: Claim): readonly Found[] {
  if (spec?.accessModes?.includes("ReadWriteMany") === true) return [];
  const fix = "use components/rwo, which keeps the pods on the node of the volume";
  return [{ state: "warning", detail: `one node at a time may mount ${name}`, fix }];
}

/** Files of one group, read by pods of another, are out of reach. */
function grouped(manifests: readonly Manifest[]): readonly Found[] {
  const onVolume = manifests.filter((manifest) => listValues(manifest, "claimName").length > 0);
  const groups = new Set(onVolume.map((manifest) => listValues(manifest, "fsGroup").join()));
  if (groups.size < 2) return [];
  const detail = "not all pods that use the volume have the same fsGroup";
  return [{ state: "fault", detail, fix: "name components/fsgroup after components/jobsink" }];
}

/** The Secrets that the services name, with the keys that they take from them. */
export async function secretsNeeded(
  services: readonly Manifest[],
  cluster: Cluster,
): Promise<readonly Found[]> {
  const needs = Object.entries(Object.groupBy(listSecrets(services), ({ name }) => name));
  const found = await Promise.all(
    needs.map(async ([name, refs = []]) => {
      const keys = new Set(refs.flatMap((ref) => ref.keys));
      return secretNeeded(name, [...keys].toSorted(), cluster);
    }),
  );
  return found.flat();
}

async function secretNeeded(
  name: string,
  wanted: readonly string[],
  cluster: Cluster,
): Promise<readonly Found[]> {
  const { core, namespace } = cluster;
  const secret = await asking(cluster, { group: "", resource: "secrets", verb: "get" }, () =>
    unlessMissing(core.readNamespacedSecret({ name, namespace })),
  );
  if (secret === undefined) {
    const literals = wanted.map((key) => ` --from-literal=${key}=...`).join("");
    const fix = `kubectl create secret generic -n ${namespace} ${name}${literals}; docs/knative.md says what it holds`;
    return [{ state: "fault", detail: `there is no Secret ${name}`, fix }];
  }
  const missing = wanted.filter((key) => !Object.hasOwn(secret.data ?? {}, key));
  if (missing.length === 0) return [good(`the Secret ${name} has all keys`)];
  const fix = "add it, or patch the services to take what your Secret has";
  return missing.map((key) => ({ state: "fault", detail: `the Secret ${name} lacks ${key}`, fix }));
}

type SecretRef = { readonly name: string; readonly keys: readonly string[] };
type KeyRef = { readonly name: string; readonly key?: string };
type SecretVolume = { readonly secretName: string; readonly items?: readonly { readonly key: string }[] };

/** What the services take from Secrets: in their environment, and as files. */
export function listSecrets(services: readonly Manifest[]): readonly SecretRef[] {
  const inEnvironment = ["secretKeyRef", "secretRef"].flatMap((field) => listValues(services, field));
  const asFiles = listValues(services, "secret");
  return [
    ...(inEnvironment as readonly KeyRef[]).map(({ name, key }) => ({
      name,
      keys: key === undefined ? [] : [key],
    })),
    ...(asFiles as readonly SecretVolume[]).map(({ secretName, items = [] }) => ({
      name: secretName,
      keys: items.map(({ key }) => key),
    })),
  ];
}

/** Of a field, at whatever depth. */
function listValues(value: unknown, field: string): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]: [string, unknown]) =>
    key === field ? [each] : listValues(each, field),
  );
}
