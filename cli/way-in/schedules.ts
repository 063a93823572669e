import { Failure } from "../failure.ts";
import type { Schedule } from "../session.ts";
import type { FunctionName } from "../wire.ts";
import { asking, type Cluster } from "./cluster.ts";
import type { Found } from "./services.ts";

const GROUP = "sources.knative.dev";

type PingSource = {
  readonly spec: {
    readonly schedule: string;
    readonly timezone?: string;
    readonly sink: { readonly ref?: { readonly name: string } };
  };
};

/** The pings that wake the functions; `undefined` where this account may not see them. */
export async function findSchedules(
  cluster: Cluster,
  services: ReadonlyMap<FunctionName, Found>,
): Promise<readonly Schedule[] | undefined> {
  const { custom, namespace } = cluster;
  const request = { group: GROUP, version: "v1", namespace, plural: "pingsources" };
  try {
    const answer = (await asking(cluster, { group: GROUP, resource: "pingsources", verb: "list" }, () =>
      custom.listNamespacedCustomObject(request),
    )) as { readonly items: readonly PingSource[] };
    return answer.items.flatMap(({ spec: { schedule: cron, timezone, sink } }) =>
      [...services].filter(([, { name }]) => name === sink.ref?.name).map(([to]) => ({ to, cron, timezone })),
    );
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
