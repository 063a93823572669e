import { Failure } from "../failure.ts";
import type { Schedule } from "../session.ts";
import type { FunctionName } from "../wire.ts";
import type { Cluster } from "./cluster.ts";
import { listObjects } from "./objects.ts";
import type { Found } from "./services.ts";

const PINGS = { group: "sources.knative.dev", version: "v1", plural: "pingsources" };

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
  try {
    const pings = await listObjects<PingSource>(cluster, PINGS);
    return pings.flatMap(({ spec: { schedule: cron, timezone, sink } }) =>
      [...services].filter(([, { name }]) => name === sink.ref?.name).map(([to]) => ({ to, cron, timezone })),
    );
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
