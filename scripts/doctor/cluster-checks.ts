import { good, type Check, type Finding } from "../../shared/backup/finding.ts";
import { admitService } from "../../shared/kubernetes/admit-service.ts";

export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
};

/** Answers what kubectl prints; throws its words. */
export type Kubectl = (args: readonly string[]) => Promise<string>;

type Found = Omit<Finding, "check">;

const RESTORE = "dormouse-restore";
const SECRET_KEYS = ["database-user", "database-password", "database-name"];
/** Needed everywhere, and what only an option needs. */
const RESOURCES: readonly (readonly [resource: string, state: "fault" | "warning", fix: string])[] = [
  ["services.serving.knative.dev", "fault", "install Knative Serving"],
  ["pingsources.sources.knative.dev", "fault", "install Knative Eventing"],
  ["jobsinks.sinks.knative.dev", "warning", "the overlay jobsink needs Knative Eventing 1.15 or later"],
];

/** `manifests` are the services that are there or would be; the rest is asked of the cluster. */
export function clusterChecks(
  manifests: readonly Manifest[],
  namespace: string,
  kubectl: Kubectl,
): readonly Check[] {
  const services = manifests.filter(
    ({ apiVersion, kind }) => kind === "Service" && apiVersion.startsWith("serving.knative.dev/"),
  );
  const inNamespace: Kubectl = (args) => kubectl([...args, "-n", namespace]);
  return [
    { name: "knative", look: () => resources(kubectl) },
    { name: "admission", look: () => admission(services, kubectl) },
    { name: "volume", look: () => claim(services, inNamespace) },
    { name: "secret", look: () => secret(inNamespace) },
    { name: "readiness", look: () => readiness(inNamespace) },
    { name: "rights", look: () => rights(namespace, inNamespace) },
  ];
}

async function resources(kubectl: Kubectl): Promise<readonly Found[]> {
  const names = await kubectl(["get", "customresourcedefinitions", "-o", "name"]);
  return RESOURCES.map(([resource, state, fix]) =>
    names.includes(`/${resource}`)
      ? good(`${resource} is there`)
      : { state, detail: `there is no ${resource}`, fix },
  );
}

async function admission(services: readonly Manifest[], kubectl: Kubectl): Promise<readonly Found[]> {
  if (services.length === 0) {
    return [{ state: "fault", detail: "there is no Knative Service of Dormouse", fix: "apply an overlay" }];
  }
  const [features, defaults] = [
    await dataOf("config-features", kubectl),
    await dataOf("config-defaults", kubectl),
  ];
  return services.flatMap((service) => {
    const { name } = service.metadata;
    const objections = admitService(service, { features, defaults });
    if (objections.length === 0) return [good(`${name} is as Knative wants it`)];
    return objections.map(({ kind, path, why, fix }): Found => {
      const state = kind === "refused" ? "fault" : "warning";
      return { state, detail: `${name}: ${path}: ${why}`, fix };
    });
  });
}

async function dataOf(name: string, kubectl: Kubectl): Promise<Readonly<Record<string, string>>> {
  const json = await kubectl(["get", "configmap", name, "-n", "knative-serving", "-o", "json"]);
  return (JSON.parse(json) as { data?: Record<string, string> }).data ?? {};
}

async function claim(services: readonly Manifest[], kubectl: Kubectl): Promise<readonly Found[]> {
  const claims = new Set(JSON.stringify(services).match(/(?<="claimName":")[^"]+/g));
  if (claims.size > 1) {
    const fix = "let all functions mount one claim";
    return [
      { state: "fault", detail: `the functions do not share a volume: ${[...claims].join(", ")}`, fix },
    ];
  }
  const [name = "dormouse-backups"] = claims;
  const found = JSON.parse(await kubectl(["get", "persistentvolumeclaim", name, "-o", "json"])) as {
    readonly spec: { readonly accessModes: readonly string[] };
    readonly status: { readonly phase: string };
  };
  const modes = found.spec.accessModes;
  const fix = "use components/rwo, which keeps the pods on one node";
  const isOneNode = !modes.includes("ReadWriteMany");
  return [
    found.status.phase === "Bound"
      ? good(`claim ${name} is bound`)
      : { state: "fault", detail: `claim ${name} is ${found.status.phase}`, fix: "look at its events" },
    ...(isOneNode
      ? [{ state: "warning" as const, detail: `one node at a time may mount ${name}`, fix }]
      : []),
  ];
}

async function secret(kubectl: Kubectl): Promise<readonly Found[]> {
  const keys = await kubectl([
    "get",
    "secret",
    "postgresql",
    "-o",
    "go-template={{range $k, $_ := .data}}{{$k}} {{end}}",
  ]);
  const missing = SECRET_KEYS.filter((key) => !keys.split(" ").includes(key));
  if (missing.length === 0) return [good("the Secret postgresql has all keys")];
  const fix = "add it, or patch the secretKeyRef of the services to what your Secret has";
  return missing.map((key) => ({ state: "fault", detail: `the Secret postgresql lacks ${key}`, fix }));
}

type Conditioned = Manifest & {
  readonly status?: { readonly conditions?: readonly Condition[] };
};
type Condition = { readonly type: string; readonly status: string; readonly message?: string };

async function readiness(kubectl: Kubectl): Promise<readonly Found[]> {
  const kinds =
    "services.serving.knative.dev,pingsources.sources.knative.dev,sinkbindings.sources.knative.dev";
  const selector = ["-l", "app.kubernetes.io/part-of=dormouse"];
  const { items } = JSON.parse(await kubectl(["get", kinds, ...selector, "-o", "json"])) as {
    items: readonly Conditioned[];
  };
  return items.map(({ kind, metadata, status }): Found => {
    const name = `${kind} ${metadata.name}`;
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status === "True") return good(`${name} is ready`);
    return {
      state: "fault",
      detail: `${name} is not ready: ${ready?.message ?? "no reason given"}`,
      fix: "kubectl describe it",
    };
  });
}

async function rights(namespace: string, kubectl: Kubectl): Promise<readonly Found[]> {
  const account = `--as=system:serviceaccount:${namespace}:${RESTORE}`;
  const may = (args: readonly string[]) =>
    kubectl(["auth", "can-i", ...args, account]).then(
      () => true,
      () => false,
    );
  const fix =
    "complete manifests/base/restore-rights.yaml, and bind system:auth-delegator in this namespace's name";
  const asks = await may(["create", "tokenreviews.authentication.k8s.io"]);
  const lists = await may(["list", "pods"]);
  return [
    asks
      ? good("restore may ask who calls")
      : { state: "fault", detail: "restore may not ask who calls", fix },
    lists ? good("restore may see pods") : { state: "fault", detail: "restore may not see pods", fix },
  ];
}
