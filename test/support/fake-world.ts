import type { KubernetesWorld, PingSourceSeen } from "../contracts/kubernetes-world.ts";
import { clusterCaller } from "../../shared/kubernetes/client.ts";
import { type Workload, workloadText } from "../../functions/restore/workloads/workload.ts";
import { writeFile, readFile } from "node:fs/promises";
import { startFakeKubernetes, type FakeKubernetes } from "./fake-kubernetes.ts";
import type { FakeWorkload } from "./fake-workload.ts";

/** The fake API as the contract suites see a cluster. */
export async function fakeWorld(): Promise<KubernetesWorld> {
  const fake = await startFakeKubernetes();
  const workloads = new Map<string, FakeWorkload>();
  fake.addUser({ token: "token-of-nobody", name: "nobody", audiences: [] });
  return {
    call: clusterCaller({ kubeconfig: fake.kubeconfig }),
    callWithoutRights: clusterCaller({ kubeconfig: await kubeconfigOf(fake, "token-of-nobody") }),
    patienceMs: 600_000,
    async deploy(workload, replicas, how = "well") {
      const behaviour =
        how === "well" ? {} : how === "never ending" ? { stopMs: "never" as const } : { startMs: how };
      workloads.set(workloadText(workload), fake.addWorkload(workload, replicas, behaviour));
    },
    async setReplicas(workload: Workload, replicas) {
      workloads.get(workloadText(workload))?.set(replicas);
    },
    async addAutoscaler(name, target) {
      fake.addAutoscaler(name, target);
    },
    pingSources: async () => [...fake.pingSources.values()] as unknown as PingSourceSeen[],
    async userToken(name, { audience, verbs }) {
      fake.addUser({ token: `token-of-${name}`, name, audiences: [audience] });
      for (const verb of verbs) fake.grant(name, `${verb} services`);
      return `token-of-${name}`;
    },
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

async function kubeconfigOf(fake: FakeKubernetes, token: string): Promise<string> {
  const path = `${fake.kubeconfig}-${token}`;
  const text = await readFile(fake.kubeconfig, "utf8");
  await writeFile(path, text.replace("token-of-the-function", token));
  return path;
}
