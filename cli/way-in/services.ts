import { Failure } from "../failure.ts";
import { FUNCTIONS, type FunctionName } from "../wire.ts";
import { asking, type Cluster } from "./cluster.ts";

const GROUP = "serving.knative.dev";

/** A function as Knative has it. */
export type Found = {
  readonly name: string;
  readonly uid: string;
  readonly address: URL;
  readonly image: string;
  readonly pullSecrets: readonly { readonly name?: string }[];
};

type Service = {
  readonly metadata: { readonly name: string; readonly uid: string };
  /** The API refuses a Service without. */
  readonly spec: { readonly template: { readonly spec: Template } };
  readonly status?: { readonly address?: { readonly url?: string } };
};
type Template = {
  readonly containers: readonly { readonly image: string; readonly args?: readonly string[] }[];
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
};

/** By label, since a kustomization may call them otherwise; which is which, what they run says. */
export async function findServices(cluster: Cluster): Promise<ReadonlyMap<FunctionName, Found>> {
  const { custom, namespace } = cluster;
  const answer = (await asking(cluster, { group: GROUP, resource: "services", verb: "list" }, () =>
    custom.listNamespacedCustomObject({
      group: GROUP,
      version: "v1",
      namespace,
      plural: "services",
      labelSelector: "app.kubernetes.io/part-of=dormouse",
    }),
  )) as { readonly items: readonly Service[] };
  const found = new Map(answer.items.flatMap((service) => [...entryOf(service)]));
  if (found.size > 0) return found;
  throw new Failure(`there is no Dormouse in the namespace ${namespace}`, {
    code: "not_installed",
    hint: "name another with -n; docs/knative.md installs it: kubectl apply -k deploy",
  });
}

function* entryOf({ metadata, spec, status }: Service): Generator<readonly [FunctionName, Found]> {
  const { containers, imagePullSecrets: pullSecrets = [] } = spec.template.spec;
  const url = status?.address?.url ?? "";
  if (!URL.canParse(url)) return;
  for (const { image, args = [] } of containers) {
    const name = FUNCTIONS.find((each) => args.includes(`${each}/index.mjs`));
    if (name !== undefined) yield [name, { ...metadata, address: new URL(url), image, pullSecrets }];
  }
}
