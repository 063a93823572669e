import { asking, readStatus, type Cluster } from "./cluster.ts";

/** As the API's paths have it. */
export type Kind = { readonly group: string; readonly version: string; readonly plural: string };

/** Those of the namespace; none where the cluster does not know the kind. */
export async function listObjects<Item>(
  cluster: Cluster,
  kind: Kind,
  labelSelector?: string,
): Promise<readonly Item[]> {
  const { group, plural: resource } = kind;
  const { custom, namespace } = cluster;
  const request = { ...kind, namespace, ...(labelSelector === undefined ? {} : { labelSelector }) };
  const list = await asking(cluster, { group, resource, verb: "list" }, () =>
    unlessMissing(custom.listNamespacedCustomObject(request)),
  );
  return (list as { readonly items: readonly Item[] } | undefined)?.items ?? [];
}

/** `undefined` where there is nothing of that name. */
export async function unlessMissing<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (readStatus(error) === 404) return undefined;
    throw error;
  }
}
