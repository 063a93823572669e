import { asking, type Cluster } from "../access/cluster.ts";
import { listObjects, unlessMissing, type Kind } from "../access/objects.ts";
import { listServices, OURS, SERVICES, type Conditions } from "../access/services.ts";
import { admitted, mayGive } from "./admission.ts";
import { kubectl, rendered, type Kubectl, type Manifest } from "./kubectl.ts";
import { claimNeeded, secretsNeeded } from "./needs.ts";
import { good, lookAt, type ClusterReport, type Found, type Look } from "./seen.ts";

type Needed = Kind & { readonly state: "fault" | "warning"; readonly fix: string };

const SOURCES = ["pingsources", "sinkbindings"].map((plural) => ({
  group: "sources.knative.dev",
  version: "v1",
  plural,
}));
/** Needed everywhere, and what only an option needs. */
const NEEDED: readonly Needed[] = [
  { ...SERVICES, state: "fault", fix: "install Knative Serving" },
  ...SOURCES.map((source) => ({ ...source, state: "fault", fix: "install Knative Eventing" }) as const),
  {
    group: "sinks.knative.dev",
    version: "v1alpha1",
    plural: "jobsinks",
    state: "warning",
    fix: "the overlay jobsink needs Knative Eventing 1.15 or later",
  },
];

/** What is installed in the namespace. What the functions need besides that, each says of itself: `GET /doctor`. */
export async function examineCluster(cluster: Cluster): Promise<ClusterReport> {
  const services = await listServices(cluster);
  return lookAt([
    ...common(cluster, services),
    ["readiness", async () => readiness(cluster, SERVICES, services)],
    ...SOURCES.map((kind): Look => [
      "readiness",
      async () => readiness(cluster, kind, await listObjects<Watched>(cluster, kind, OURS)),
    ]),
  ]);
}

/** What a folder would install, before it is applied; `options` are kubectl's. */
export async function examineFolder(
  cluster: Cluster,
  folder: string,
  options: readonly string[],
): Promise<ClusterReport> {
  const there: Kubectl = (args, input) => kubectl([...args, ...options], input);
  const manifests = await rendered(folder);
  return lookAt([
    ...common(cluster, manifests),
    ["admission", () => admitted(manifests, there)],
    ["rights", () => mayGive(manifests, cluster)],
  ]);
}

function common(cluster: Cluster, manifests: readonly Manifest[]): readonly Look[] {
  const services = manifests.filter(
    ({ apiVersion, kind }) => kind === "Service" && apiVersion.startsWith("serving.knative.dev/"),
  );
  return [
    ["knative", () => kindsNeeded(cluster)],
    ["services", async () => countServices(services)],
    ["volume", () => claimNeeded(manifests, cluster)],
    ["secret", () => secretsNeeded(services, cluster)],
  ];
}

async function kindsNeeded(cluster: Cluster): Promise<readonly Found[]> {
  return Promise.all(
    NEEDED.map(async ({ plural, state, fix, ...served }): Promise<Found> => {
      const { group } = served;
      const known = await asking(cluster, { group, resource: plural, verb: "get" }, () =>
        unlessMissing(cluster.custom.getAPIResources(served)),
      );
      const isThere = known?.resources.some(({ name }) => name === plural) === true;
      return isThere
        ? good(`${plural}.${group} is there`)
        : { state, detail: `there is no ${plural}.${group}`, fix };
    }),
  );
}

function countServices(services: readonly Manifest[]): readonly Found[] {
  if (services.length > 0)
    return [good(`${services.map(({ metadata }) => metadata.name).join(", ")} are there`)];
  return [{ state: "fault", detail: "there is no Knative Service of Dormouse", fix: "apply an overlay" }];
}

type Watched = { readonly metadata: { readonly name: string }; readonly status?: Conditions };

function readiness(
  { namespace }: Cluster,
  { plural, group }: Kind,
  objects: readonly Watched[],
): readonly Found[] {
  return objects.map(({ metadata: { name }, status }): Found => {
    const what = `${plural}.${group} ${name}`;
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status === "True") return good(`${what} is ready`);
    return {
      state: "fault",
      detail: `${what} is not ready: ${ready?.message ?? "no reason given"}`,
      fix: `it may still be on its way; if not: kubectl describe -n ${namespace} ${what}`,
    };
  });
}
