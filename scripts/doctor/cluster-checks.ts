import { good, type Check, type Finding } from "../../shared/doctor/finding.ts";
import type { Kubectl, Manifest } from "./kubectl.ts";
import { admitted } from "./admission.ts";
import { claimNeeded, secretsNeeded } from "./needs.ts";

type Found = Omit<Finding, "check">;

/** Needed everywhere, and what only an option needs. */
const RESOURCES: readonly (readonly [resource: string, state: "fault" | "warning", fix: string])[] = [
  ["services.serving.knative.dev", "fault", "install Knative Serving"],
  ["pingsources.sources.knative.dev", "fault", "install Knative Eventing"],
  ["jobsinks.sinks.knative.dev", "warning", "the overlay jobsink needs Knative Eventing 1.15 or later"],
];

/** `manifests` are what is there or would be; the rest is asked of the cluster. */
export function clusterChecks(
  manifests: readonly Manifest[],
  namespace: string,
  kubectl: Kubectl,
  isInstalled: boolean,
): readonly Check[] {
  const services = manifests.filter(
    ({ apiVersion, kind }) => kind === "Service" && apiVersion.startsWith("serving.knative.dev/"),
  );
  const inNamespace: Kubectl = (args, input) => kubectl([...args, "-n", namespace], input);
  return [
    { name: "knative", look: () => resources(kubectl) },
    { name: "services", look: async () => countServices(services) },
    { name: "volume", look: () => claimNeeded(manifests, inNamespace) },
    { name: "secret", look: () => secretsNeeded(services, inNamespace) },
    ...(isInstalled
      ? [
          { name: "readiness", look: () => readiness(inNamespace) },
          { name: "rights", look: () => rights(services, namespace, inNamespace) },
        ]
      : [
          { name: "admission", look: () => admitted(manifests, inNamespace) },
          { name: "rights", look: () => mayApply(manifests, inNamespace) },
        ]),
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

function countServices(services: readonly Manifest[]): readonly Found[] {
  if (services.length > 0)
    return [good(`${services.map(({ metadata }) => metadata.name).join(", ")} are there`)];
  return [{ state: "fault", detail: "there is no Knative Service of Dormouse", fix: "apply an overlay" }];
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
      fix: `it may still be on its way: kubectl wait --for=condition=Ready; if not: kubectl describe ${kind} ${metadata.name}`,
    };
  });
}

/** Whether your own account may give the rights that are among the manifests. */
async function mayApply(manifests: readonly Manifest[], kubectl: Kubectl): Promise<readonly Found[]> {
  const kinds = [
    ...new Set(manifests.map(({ kind }) => kind).filter((kind) => kind.startsWith("ClusterRole"))),
  ];
  const found = kinds.map(async (kind): Promise<Found> => {
    const may = await kubectl(["auth", "can-i", "create", `${kind.toLowerCase()}s`]).then(
      () => true,
      () => false,
    );
    if (may) return good(`you may create a ${kind}`);
    const fix = "let an administrator of the cluster apply it, or take components/token, which needs none";
    return { state: "fault", detail: `you may not create a ${kind}`, fix };
  });
  return Promise.all(found);
}

type Podded = {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly containers: readonly { readonly args?: readonly string[] }[];
};

/** Of each function whose pods have a token: without one there is nothing to ask. */
async function rights(
  services: readonly Manifest[],
  namespace: string,
  kubectl: Kubectl,
): Promise<readonly Found[]> {
  const asking = services
    .map(({ metadata, spec }) => ({ name: metadata.name, pod: toPod(spec) }))
    .filter(({ pod }) => pod.automountServiceAccountToken !== false && pod.serviceAccountName !== undefined);
  const found = asking.map(async ({ name, pod }) => {
    const account = `--as=system:serviceaccount:${namespace}:${pod.serviceAccountName}`;
    const isRestore = pod.containers.some(({ args = [] }) => args.includes("restore/index.mjs"));
    return [
      await right(
        kubectl,
        ["create", "tokenreviews.authentication.k8s.io", account],
        `${name} may review the tokens of callers`,
      ),
      ...(isRestore ? [await right(kubectl, ["list", "pods", account], `${name} may see pods`)] : []),
    ];
  });
  return (await Promise.all(found)).flat();
}

async function right(kubectl: Kubectl, args: readonly string[], what: string): Promise<Found> {
  const may = await kubectl(["auth", "can-i", ...args]).then(
    () => true,
    () => false,
  );
  if (may) return good(what);
  const fix =
    "apply restore-rights.yaml and callers.yaml of manifests/base; where the cluster allows no such binding, take components/token";
  return { state: "fault", detail: what.replace(" may ", " may not "), fix };
}

function toPod(spec: unknown): Podded {
  return (spec as { template: { spec: Podded } }).template.spec;
}
