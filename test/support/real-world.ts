import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as k8s from "@kubernetes/client-node";
import type { Workload } from "../../functions/restore/workloads/workload.ts";
import { type CallCluster, clusterCaller } from "../../shared/kubernetes/client.ts";
import type { KubernetesWorld, PingSourceSeen } from "../contracts/kubernetes-world.ts";

/** A program that does nothing until it is told to end, and one that ends at once with an error. */
const IDLE_IMAGE = process.env["DORMOUSE_TEST_IDLE_IMAGE"] ?? "dev.local/pause:dev";
const FAILING_IMAGE = process.env["DORMOUSE_TEST_FAILING_IMAGE"] ?? "dev.local/serving-queue:dev";
const PATIENCE_MS = 120_000;
const SERVING = { group: "serving.knative.dev", version: "v1", plural: "services" } as const;
const PINGS = { group: "sources.knative.dev", version: "v1", plural: "pingsources" } as const;

type PingSourceListed = PingSourceSeen & { readonly metadata: { readonly deletionTimestamp?: string } };

/** What restore needs, and nothing else. */
const FUNCTION_RULES: k8s.V1PolicyRule[] = [
  { apiGroups: ["apps"], resources: ["deployments/scale", "statefulsets/scale"], verbs: ["get", "patch"] },
  { apiGroups: [""], resources: ["pods", "events"], verbs: ["list"] },
  { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["list"] },
  { apiGroups: ["sources.knative.dev"], resources: ["pingsources"], verbs: ["create"] },
  {
    apiGroups: ["sources.knative.dev"],
    resources: ["pingsources"],
    resourceNames: ["restore"],
    verbs: ["delete"],
  },
  { apiGroups: ["serving.knative.dev"], resources: ["services"], resourceNames: ["restore"], verbs: ["get"] },
];

type Admin = Awaited<ReturnType<typeof administrate>>;

/** A namespace of its own in the cluster that `kubeconfig` names; everything in it goes at the end. */
export async function realWorld(kubeconfig: string): Promise<KubernetesWorld> {
  const admin = await administrate(kubeconfig);
  const { namespace } = admin;
  await admin.makeAccount("restore", FUNCTION_RULES);
  await admin.makeAccount("nobody", []);
  await admin.letReview("restore");
  await admin.custom.createNamespacedCustomObject({ ...SERVING, namespace, body: knativeService() });
  await admin.core.createNamespacedResourceQuota({ namespace, body: noBestEffortPods() });

  return {
    call: await admin.callerAs("restore"),
    callWithoutRights: await admin.callerAs("nobody"),
    patienceMs: PATIENCE_MS,
    deploy: (workload, replicas, how = "well") => deploy(admin, workload, replicas, how),
    setReplicas: async ({ kind, name }, replicas) => {
      const scale = { metadata: { name, namespace }, spec: { replicas } };
      if (kind === "deployment")
        await admin.apps.replaceNamespacedDeploymentScale({ name, namespace, body: scale });
      else await admin.apps.replaceNamespacedStatefulSetScale({ name, namespace, body: scale });
    },
    async addAutoscaler(name, target) {
      const scaleTargetRef = { apiVersion: "apps/v1", kind: KINDS[target.kind], name: target.name };
      const body = { metadata: { name }, spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 2 } };
      await admin.autoscaling.createNamespacedHorizontalPodAutoscaler({ namespace, body });
    },
    async pingSources() {
      const list: unknown = await admin.custom.listNamespacedCustomObject({ ...PINGS, namespace });
      // Knative's controller takes a moment to let one go that is deleted.
      return (list as { readonly items: readonly PingSourceListed[] }).items.filter(
        ({ metadata }) => metadata.deletionTimestamp === undefined,
      );
    },
    async userToken(name, { audience, verbs }) {
      const rule = { apiGroups: [SERVING.group], resources: [SERVING.plural], resourceNames: ["restore"] };
      await admin.makeAccount(name, [{ ...rule, verbs: [...verbs] }]);
      return admin.tokenOf(name, [audience]);
    },
    [Symbol.asyncDispose]: () => admin.clearUp(),
  };
}

const KINDS = {
  deployment: "Deployment",
  statefulset: "StatefulSet",
  deploymentconfig: "DeploymentConfig",
} as const;

async function administrate(kubeconfig: string) {
  const config = new k8s.KubeConfig();
  config.loadFromFile(kubeconfig);
  const core = config.makeApiClient(k8s.CoreV1Api);
  const rbac = config.makeApiClient(k8s.RbacAuthorizationV1Api);
  const namespace = `dormouse-contract-${randomBytes(4).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "dormouse-cluster-"));
  await core.createNamespace({ body: { metadata: { name: namespace } } });

  const tokenOf = async (name: string, audiences: string[]): Promise<string> => {
    const body = { spec: { audiences, expirationSeconds: 3600 } } as k8s.AuthenticationV1TokenRequest;
    const { status } = await core.createNamespacedServiceAccountToken({ name, namespace, body });
    return status?.token ?? "";
  };

  return {
    namespace,
    core,
    apps: config.makeApiClient(k8s.AppsV1Api),
    autoscaling: config.makeApiClient(k8s.AutoscalingV2Api),
    custom: config.makeApiClient(k8s.CustomObjectsApi),
    tokenOf,
    async makeAccount(name: string, rules: k8s.V1PolicyRule[]): Promise<void> {
      await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } });
      await rbac.createNamespacedRole({ namespace, body: { metadata: { name }, rules } });
      const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name };
      const subjects = [{ kind: "ServiceAccount", name, namespace }];
      await rbac.createNamespacedRoleBinding({ namespace, body: { metadata: { name }, roleRef, subjects } });
    },
    async letReview(name: string): Promise<void> {
      const roleRef = {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        name: "system:auth-delegator",
      };
      const subjects = [{ kind: "ServiceAccount", name, namespace }];
      await rbac.createClusterRoleBinding({ body: { metadata: { name: namespace }, roleRef, subjects } });
    },
    async callerAs(name: string): Promise<CallCluster> {
      const path = join(folder, name);
      const own = new k8s.KubeConfig();
      const cluster = config.getCurrentCluster();
      if (cluster === null) throw new Error(`${kubeconfig} names no cluster`);
      own.loadFromClusterAndUser(cluster, { name, token: await tokenOf(name, []) });
      const exported = JSON.parse(own.exportConfig()) as { contexts: { context: Record<string, string> }[] };
      for (const { context } of exported.contexts) context["namespace"] = namespace;
      await writeFile(path, JSON.stringify(exported));
      return clusterCaller({ kubeconfig: path });
    },
    async clearUp(): Promise<void> {
      await rbac.deleteClusterRoleBinding({ name: namespace });
      const { items } = await core.listNamespacedPod({ namespace });
      for (const { metadata } of items) {
        await core.deleteNamespacedPod({ name: metadata?.name ?? "", namespace, gracePeriodSeconds: 0 });
      }
      await core.deleteNamespace({ name: namespace });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function deploy(
  { apps, namespace }: Admin,
  { kind, name }: Workload,
  replicas: number,
  how: Parameters<KubernetesWorld["deploy"]>[2],
): Promise<void> {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec(how) };
  const spec = { replicas, selector: { matchLabels: labels }, template };
  const metadata = { name };
  if (kind === "deployment") await apps.createNamespacedDeployment({ namespace, body: { metadata, spec } });
  else
    await apps.createNamespacedStatefulSet({
      namespace,
      body: { metadata, spec: { ...spec, serviceName: name } },
    });
}

function podSpec(how: Parameters<KubernetesWorld["deploy"]>[2]): k8s.V1PodSpec {
  const isBestEffort = how === "quota";
  const container: k8s.V1Container = {
    name: "app",
    image: how === "image" ? "dev.local/none:dev" : how === "crash" ? FAILING_IMAGE : IDLE_IMAGE,
    ...(isBestEffort ? {} : { resources: { requests: { cpu: "1m" } } }),
    ...(how === "never ending" ? { lifecycle: { preStop: { sleep: { seconds: 600 } } } } : {}),
  };
  return {
    containers: [container],
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: how === "never ending" ? 900 : 1,
    ...(how === "unschedulable" ? { nodeSelector: { "dormouse.dev/no-such-node": "yes" } } : {}),
  };
}

/** A quota that only meets pods without requests: those of one test. */
function noBestEffortPods(): k8s.V1ResourceQuota {
  return { metadata: { name: "small" }, spec: { hard: { pods: "0" }, scopes: ["BestEffort"] } };
}

/** It is only there to be named; whether it comes up does not matter. */
function knativeService(): unknown {
  const container = { image: IDLE_IMAGE, resources: { requests: { cpu: "1m" } } };
  return {
    apiVersion: "serving.knative.dev/v1",
    kind: "Service",
    metadata: { name: "restore", labels: { "networking.knative.dev/visibility": "cluster-local" } },
    spec: { template: { spec: { containers: [container] } } },
  };
}
