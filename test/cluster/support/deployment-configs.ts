import { setTimeout as pause } from "node:timers/promises";
import { stringify } from "yaml";
import { kubectl, kubectlJson } from "./kubectl.ts";

const GROUP = "apps.openshift.io";
const PLURAL = `deploymentconfigs.${GROUP}`;

/** As much of OpenShift's kind as has to do with its scale. It belongs to no namespace, so one test file has it. */
const DEFINITION = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: PLURAL },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: { plural: "deploymentconfigs", singular: "deploymentconfig", kind: "DeploymentConfig" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        subresources: {
          status: {},
          scale: {
            specReplicasPath: ".spec.replicas",
            statusReplicasPath: ".status.replicas",
            labelSelectorPath: ".status.labelSelector",
          },
        },
      },
    ],
  },
};

type Scaled = {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly replicas: number };
  readonly status?: { readonly replicas?: number };
};

export type DeploymentConfigs = {
  /** Every number of replicas that was asked for, by name, in order. */
  readonly asked: ReadonlyMap<string, readonly number[]>;
  replicas(name: string): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function defineDeploymentConfigs(): Promise<void> {
  await kubectl("apply -f -", [], stringify(DEFINITION));
  await kubectl(`wait --for=condition=Established crd/${PLURAL} --timeout=60s`);
}

/**
 * A DeploymentConfig for each of `names`, and their controller: it has the pods of each made by the Deployment of the
 * same name, as OpenShift's has them made by a ReplicationController.
 */
export async function deploymentConfigs(
  namespace: string,
  names: readonly string[],
): Promise<DeploymentConfigs> {
  for (const name of names) {
    const { spec } = await kubectlJson<Scaled>(`-n ${namespace} get deployment ${name}`);
    const config = { apiVersion: `${GROUP}/v1`, kind: "DeploymentConfig", metadata: { name }, spec };
    await kubectl(`-n ${namespace} create -f -`, [], JSON.stringify(config));
  }
  const asked = new Map<string, number[]>(names.map((name) => [name, []]));
  const stopping = new AbortController();
  const read = (kind: string, name: string) => kubectlJson<Scaled>(`-n ${namespace} get ${kind} ${name}`);

  async function reconcile(name: string): Promise<void> {
    const { spec } = await read(PLURAL, name);
    const seen = asked.get(name);
    if (seen?.at(-1) !== spec.replicas) seen?.push(spec.replicas);
    const deployment = await read("deployment", name);
    if (deployment.spec.replicas !== spec.replicas)
      await kubectl(`-n ${namespace} scale deployment ${name} --replicas=${spec.replicas}`);
    const status = { replicas: deployment.status?.replicas ?? 0, labelSelector: `app=${name}` };
    const patch = ["--type=merge", "--patch", JSON.stringify({ status })];
    await kubectl(`-n ${namespace} patch ${PLURAL} ${name} --subresource=status`, patch);
  }

  async function control(): Promise<void> {
    while (!stopping.signal.aborted) {
      // What fails once is tried again, as by any controller.
      for (const name of names) await reconcile(name).catch(() => undefined);
      await pause(300);
    }
  }
  for (const name of names) await reconcile(name);
  const controlling = control();
  return {
    asked,
    replicas: async (name) => (await read(PLURAL, name)).spec.replicas,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await controlling;
      await kubectl(`delete crd ${PLURAL} --wait=false`);
    },
  };
}
