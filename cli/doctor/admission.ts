import { AuthorizationV1Api } from "@kubernetes/client-node";
import { asking, type Cluster } from "../access/cluster.ts";
import type { Kubectl, Manifest } from "./kubectl.ts";
import { good, type Found } from "./seen.ts";

/** What the API server says, and what to change. The first that fits counts. */
const FIXES: readonly (readonly [says: RegExp, fix: string])[] = [
  [/namespaces ".*" not found/, "make it first: kubectl create namespace NAME"],
  [/is forbidden: User/, "let an account apply it that may: Knative was not asked"],
  [/no matches for kind|could not find the requested resource/, "install what is missing of Knative"],
  [
    /failed calling webhook/,
    "kubectl get pods -n knative-serving -n knative-eventing: the webhook must be there",
  ],
  [
    /must not set the field|support is disabled/,
    "set the feature flags in the ConfigMap config-features of knative-serving (docs/knative.md)",
  ],
  [/./, "change it so that Knative takes it; docs/knative.md says what the manifests need"],
];

/**
 * Whether Knative takes what is to be applied: its own webhooks say, by a dry run on the server, which changes nothing.
 * They know the release and the settings of this cluster.
 */
export async function admitted(manifests: readonly Manifest[], kubectl: Kubectl): Promise<readonly Found[]> {
  const asked = manifests.filter(({ apiVersion }) => apiVersion.includes(".knative.dev/"));
  return Promise.all(
    asked.map(async (manifest): Promise<Found> => {
      const name = `${manifest.kind} ${manifest.metadata.name}`;
      try {
        await kubectl(["apply", "--dry-run=server", "-f", "-"], JSON.stringify(asIfHere(manifest)));
        return good(`${name} is as Knative wants it`);
      } catch (error) {
        const why = refusalIn((error as Error).message);
        const fix = FIXES.find(([says]) => says.test(why))?.[1];
        return { state: "fault", detail: `${name}: ${why}`, ...(fix === undefined ? {} : { fix }) };
      }
    }),
  );
}

/** In the namespace that is looked at, whatever namespace the folder names: that one may not be there yet. */
function asIfHere(manifest: Manifest): Manifest {
  const { namespace: _, ...metadata } = manifest.metadata;
  return { ...manifest, metadata };
}

/** Without the warnings before it, and without the name of the webhook. */
function refusalIn(printed: string): string {
  const lines = printed.split("\n").filter((line) => line !== "" && !line.startsWith("Warning: "));
  return lines.join(" ").replace(/^.*(?:denied the request: |error when \w+ "STDIN": )/, "");
}

/** Whether your own account may give the rights of the whole cluster that are among the manifests. */
export async function mayGive(manifests: readonly Manifest[], cluster: Cluster): Promise<readonly Found[]> {
  const kinds = [
    ...new Set(manifests.map(({ kind }) => kind).filter((kind) => kind.startsWith("ClusterRole"))),
  ];
  return Promise.all(
    kinds.map(async (kind): Promise<Found> => {
      if (await mayCreate(`${kind.toLowerCase()}s`, cluster)) return good(`you may create a ${kind}`);
      const fix = "let an administrator of the cluster apply it, or take components/token, which needs none";
      return { state: "fault", detail: `you may not create a ${kind}`, fix };
    }),
  );
}

async function mayCreate(resource: string, cluster: Cluster): Promise<boolean> {
  const group = "authorization.k8s.io";
  const api = cluster.config.makeApiClient(AuthorizationV1Api);
  const resourceAttributes = { group: "rbac.authorization.k8s.io", resource, verb: "create" };
  const rule = { group, resource: "selfsubjectaccessreviews", verb: "create" };
  const { status } = await asking(cluster, rule, () =>
    api.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } }),
  );
  return status?.allowed === true;
}
