import type { V1Pod, V1PodStatus } from "@kubernetes/client-node";
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "../failure.ts";
import { asking, type Cluster, type Rule } from "./cluster.ts";
import { unlessMissing } from "./objects.ts";
import type { Found } from "./services.ts";

/** A pod that stays, since this program was killed, ends by itself. */
const DEADLINE_SECONDS = 3_600;
const READY_MS = 120_000;
const LOOK_MS = 500;
export const RELAY_PORT = 8080;
const PODS = (verb: string): Rule => ({ group: "", resource: "pods", verb });

const IS_LISTENING = `require("node:net").connect(${RELAY_PORT}, "127.0.0.1").on("connect", () => process.exit(0)).on("error", () => process.exit(1))`;

/** Makes the pod by which one cluster-local address is reached; it belongs to `owner`, whose image it runs. */
export async function startRelay(cluster: Cluster, owner: Found): Promise<string> {
  const { core, namespace } = cluster;
  const made = await asking(cluster, PODS("create"), () =>
    core.createNamespacedPod({ namespace, body: toPod(owner) }),
  );
  const name = made.metadata?.name ?? "";
  try {
    await untilReady(cluster, name);
    return name;
  } catch (error) {
    await removeRelay(cluster, name).catch(() => undefined);
    throw error;
  }
}

export async function removeRelay(cluster: Cluster, name: string): Promise<void> {
  const { core, namespace } = cluster;
  await asking(cluster, PODS("delete"), () =>
    unlessMissing(core.deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 0 })),
  );
}

/** Passes the restricted Pod Security Standard; no label of it is one that a Service or a workload selects. */
function toPod({ name, uid, image, address, pullSecrets }: Found): V1Pod {
  return {
    metadata: {
      generateName: `${name}-relay-`,
      labels: { "app.kubernetes.io/component": "dormouse-relay" },
      ownerReferences: [{ apiVersion: "serving.knative.dev/v1", kind: "Service", name, uid }],
    },
    spec: {
      restartPolicy: "Never",
      activeDeadlineSeconds: DEADLINE_SECONDS,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      imagePullSecrets: pullSecrets.map((secret) => ({ ...secret })),
      containers: [
        {
          name: "relay",
          image,
          args: ["relay/index.mjs", `${address.hostname}:${address.port === "" ? "80" : address.port}`],
          readinessProbe: {
            exec: { command: ["/usr/local/bin/node", "-e", IS_LISTENING] },
            periodSeconds: 1,
            timeoutSeconds: 5,
          },
          resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "128Mi" } },
          securityContext: {
            runAsNonRoot: true,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
            seccompProfile: { type: "RuntimeDefault" },
          },
        },
      ],
    },
  };
}

async function untilReady(cluster: Cluster, name: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const pod = await asking(cluster, PODS("get"), () =>
      cluster.core.readNamespacedPod({ name, namespace: cluster.namespace }),
    );
    if (isReady(pod)) return;
    const why = findTrouble(pod) ?? (Date.now() > deadline ? "it is not ready in time" : undefined);
    if (why !== undefined) {
      throw new Failure(`the relay ${name} does not start: ${why}`, {
        code: "relay",
        hint: "it runs the image of the restore function, which must be one with relay/index.mjs",
      });
    }
    await pause(LOOK_MS);
  }
}

function isReady({ status }: V1Pod): boolean {
  return status?.conditions?.some((each) => each.type === "Ready" && each.status === "True") === true;
}

/** What waiting does not change. */
function findTrouble({ status = {} }: V1Pod): string | undefined {
  const { phase = "", message = `it has ended (${phase})` } = status;
  return waitsInVain(status) ?? (["Failed", "Succeeded"].includes(phase) ? message : undefined);
}

function waitsInVain({ containerStatuses = [] }: V1PodStatus): string | undefined {
  const { reason = "", message = reason } = containerStatuses[0]?.state?.waiting ?? {};
  return /BackOff|Invalid|ErrImage/.test(reason) ? message : undefined;
}
