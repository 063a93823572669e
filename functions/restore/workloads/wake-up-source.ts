import type { IPingSource } from "@kubernetes-models/knative/sources.knative.dev/v1/PingSource";
import type { WakeUpSource } from "./workload.ts";
import { DormouseError } from "../../../shared/errors.ts";
import { ApiRefusal, type CallCluster } from "../../../shared/kubernetes/client.ts";
import { retrying } from "../../../shared/retry.ts";

const PING_SOURCES = { group: "sources.knative.dev", version: "v1", plural: "pingsources" } as const;
const SERVICES = { group: "serving.knative.dev", version: "v1", plural: "services" } as const;

const RIGHTS =
  "let the function's service account create pingsources.sources.knative.dev, and delete the one that bears the service's name";

/** A controller that is away must not keep a restore from its database. */
const GOES_WITHIN_MS = 15_000;

type Settings = Partial<Record<"K_SERVICE" | "AUTH_EVENTS" | "AUTH_AUDIENCE", string | undefined>>;

export function createWakeUpSource(
  { K_SERVICE, AUTH_EVENTS, AUTH_AUDIENCE }: Settings,
  call: CallCluster,
): WakeUpSource {
  if (K_SERVICE === undefined) return NO_WAKE_UP;
  return knativeWakeUpSource(call, K_SERVICE, AUTH_EVENTS === "kubernetes" ? AUTH_AUDIENCE : undefined);
}

/** Outside of Knative nothing scales this process to zero, and its own restart resumes what it left. */
const NO_WAKE_UP: WakeUpSource = {
  check: async () => ({}),
  ensure: async () => ({}),
  remove: async () => ({}),
  sends: () => false,
};

/**
 * A ping source that wakes the Knative Service once a minute. It bears the name of the service: RBAC can limit `delete` by
 * names alone, and a name that was different for each run would need the right to delete every source of the namespace.
 */
export function knativeWakeUpSource(call: CallCluster, service: string, audience?: string): WakeUpSource {
  return {
    check: (signal) => lackOfRights(call, service, signal),
    ensure: (run, signal) =>
      unlessRefused({ fine: 409 }, async () => {
        const owner = await readUid(call, service, signal);
        const create = () =>
          call(signal, ({ custom, namespace }, options) => {
            const body = pingSource(run, { service, audience }, owner);
            return custom.createNamespacedCustomObject({ ...PING_SOURCES, namespace, body }, options);
          });
        await retrying(
          signal,
          create,
          ({ error, elapsedMs }) => isStillGoing(error) && elapsedMs < GOES_WITHIN_MS,
        );
      }).catch(unlessUnreachable),
    remove: (signal) =>
      unlessRefused({ fine: 404 }, () =>
        call(signal, ({ custom, namespace }, options) =>
          custom.deleteNamespacedCustomObject({ ...PING_SOURCES, namespace, name: service }, options),
        ),
      ),
    sends: (eventSource) => eventSource.endsWith(`/pingsources/${service}`),
  };
}

/**
 * The source of a restore that has just ended is there until Knative's controller has let it go, and would wake nothing after
 * that. The API server says so in its message alone, and to read the source is no right of the function.
 */
function isStillGoing(error: unknown): boolean {
  return (
    error instanceof ApiRefusal && error.status === 409 && error.message.includes("object is being deleted")
  );
}

/** A role that may not even ask is not warned: creating the source will fail instead. */
async function lackOfRights(
  call: CallCluster,
  service: string,
  signal: AbortSignal,
): Promise<{ readonly missing?: string }> {
  const { group, plural: resource } = PING_SOURCES;
  for (const [verb, which] of [
    ["create", {}],
    ["delete", { name: service }],
  ] as const) {
    try {
      const { status } = await call(signal, ({ authorization, namespace }, options) => {
        const body = { spec: { resourceAttributes: { namespace, group, resource, verb, ...which } } };
        return authorization.createSelfSubjectAccessReview({ body }, options);
      });
      if (status?.allowed !== true) return { missing: `it may not ${verb} ${resource}; ${RIGHTS}` };
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
    }
  }
  return {};
}

/** `fine` is the answer of the API that says it is done already. */
async function unlessRefused(
  { fine }: { readonly fine: number },
  ask: () => Promise<unknown>,
): Promise<{ readonly missing?: string }> {
  try {
    await ask();
    return {};
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    if (error.status === fine) return {};
    if (error.status === 404) return { missing: "this cluster has no Knative Eventing with PingSources" };
    return { missing: `${error.message}; ${RIGHTS}` };
  }
}

/** A webhook of Knative Eventing that is away makes the API answer 500: no reason to leave a database as it burns. */
function unlessUnreachable(error: unknown): { readonly missing: string } {
  if (error instanceof DormouseError && error.code === "cluster_unreachable")
    return { missing: error.message };
  throw error;
}

/** With its owner's uid the source goes when the service goes. Without the right to read that, it goes with the run. */
async function readUid(call: CallCluster, name: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const service: unknown = await call(signal, ({ custom, namespace }, options) =>
      custom.getNamespacedCustomObject({ ...SERVICES, namespace, name }, options),
    );
    return (service as { readonly metadata?: { readonly uid?: string } }).metadata?.uid;
  } catch (error) {
    if (error instanceof ApiRefusal) return undefined;
    throw error;
  }
}

type Woken = { readonly service: string; readonly audience: string | undefined };

/** With an audience its events bear a token, where the cluster gives it one: a Knative Service names none itself. */
function pingSource(run: string, { service, audience }: Woken, uid: string | undefined): IPingSource {
  const owner = { apiVersion: "serving.knative.dev/v1", kind: "Service", name: service };
  return {
    apiVersion: "sources.knative.dev/v1",
    kind: "PingSource",
    metadata: {
      name: service,
      labels: { "app.kubernetes.io/managed-by": "dormouse", "dormouse.dev/run": run },
      ...(uid === undefined ? {} : { ownerReferences: [{ ...owner, uid }] }),
    },
    spec: { schedule: "* * * * *", sink: { ref: owner, ...(audience === undefined ? {} : { audience }) } },
  };
}
