import type { IPingSource } from "@kubernetes-models/knative/sources.knative.dev/v1/PingSource";
import type { ResumeSource } from "../backup/workload.ts";
import { ApiRefusal, type CallCluster } from "./client.ts";

const PING_SOURCES = { group: "sources.knative.dev", version: "v1", plural: "pingsources" } as const;
const SERVICES = { group: "serving.knative.dev", version: "v1", plural: "services" } as const;

/** As Knative names a ping source in the events of it. */
const EVENT_SOURCE = /\/pingsources\/dormouse-(?<run>restore-[0-9a-f]{24})$/;

const RIGHTS =
  "let the function's service account create and delete pingsources.sources.knative.dev in its namespace";

/** A ping source of each unfinished run, which wakes the Knative Service that has it, once a minute. */
export function knativeResumeSource(call: CallCluster, service: string): ResumeSource {
  return {
    check: (signal) => lackOfRights(call, signal),
    ensure: (run, signal) =>
      unlessRefused({ fine: 409 }, async () => {
        const owner = await uidOf(call, service, signal);
        await call(signal, ({ custom, namespace }, options) => {
          const body = pingSource(run, service, owner);
          return custom.createNamespacedCustomObject({ ...PING_SOURCES, namespace, body }, options);
        });
      }),
    remove: (run, signal) =>
      unlessRefused({ fine: 404 }, () =>
        call(signal, ({ custom, namespace }, options) =>
          custom.deleteNamespacedCustomObject({ ...PING_SOURCES, namespace, name: nameOf(run) }, options),
        ),
      ),
    runOf: (eventSource) => EVENT_SOURCE.exec(eventSource)?.groups?.["run"],
  };
}

/** Whoever may not even ask is not warned: making the source tells. */
async function lackOfRights(call: CallCluster, signal: AbortSignal): Promise<{ readonly missing?: string }> {
  const { group, plural: resource } = PING_SOURCES;
  for (const verb of ["create", "delete"]) {
    try {
      const { status } = await call(signal, ({ authorization, namespace }, options) => {
        const body = { spec: { resourceAttributes: { namespace, group, resource, verb } } };
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

/** With its owner's uid the source goes when the service goes. Without the right to read that, it goes with the run. */
async function uidOf(call: CallCluster, name: string, signal: AbortSignal): Promise<string | undefined> {
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

function pingSource(run: string, service: string, uid: string | undefined): IPingSource {
  const owner = { apiVersion: "serving.knative.dev/v1", kind: "Service", name: service };
  return {
    apiVersion: "sources.knative.dev/v1",
    kind: "PingSource",
    metadata: {
      name: nameOf(run),
      labels: { "app.kubernetes.io/managed-by": "dormouse", "dormouse.dev/run": run },
      ...(uid === undefined ? {} : { ownerReferences: [{ ...owner, uid }] }),
    },
    spec: { schedule: "* * * * *", sink: { ref: owner } },
  };
}

function nameOf(run: string): string {
  return `dormouse-${run}`;
}
