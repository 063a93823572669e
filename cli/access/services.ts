import { Failure } from "../failure.ts";
import { FUNCTIONS, type FunctionName } from "../wire.ts";
import type { Cluster } from "./cluster.ts";
import { listObjects } from "./objects.ts";

export const SERVICES = { group: "serving.knative.dev", version: "v1", plural: "services" } as const;
/** A kustomization may call them otherwise. */
export const OURS = "app.kubernetes.io/part-of=dormouse";

/** A function as Knative has it. */
export type Found = {
  readonly name: string;
  readonly uid: string;
  readonly address: URL;
  readonly image: string;
  readonly pullSecrets: readonly { readonly name?: string }[];
};

export type Conditions = {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly message?: string;
  }[];
};

export type Service = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid: string };
  /** The API refuses a Service without. */
  readonly spec: { readonly template: { readonly spec: Template } };
  readonly status?: Conditions & { readonly address?: { readonly url?: string } };
};
type Template = {
  readonly containers: readonly { readonly image: string; readonly args?: readonly string[] }[];
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
};

export function listServices(cluster: Cluster): Promise<readonly Service[]> {
  return listObjects<Service>(cluster, SERVICES, OURS);
}

/** Which is which, what they run says. */
export async function findServices(cluster: Cluster): Promise<ReadonlyMap<FunctionName, Found>> {
  const services = await listServices(cluster);
  const found = new Map(services.flatMap((service) => [...entryOf(service)]));
  if (found.size > 0) return found;
  throw new Failure(`there is no Dormouse in the namespace ${cluster.namespace}`, {
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
