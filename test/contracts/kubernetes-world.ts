import type { Workload } from "../../functions/restore/workloads/workload.ts";
import type { CallCluster } from "../../shared/kubernetes/client.ts";
import type { Trouble } from "../support/fake-workload.ts";

/** A cluster as the contract suites need it: the fake one, or a namespace of a real one. */
export type KubernetesWorld = {
  /** As the function, with its rights. */
  readonly call: CallCluster;
  /** As a user that the API knows, without any right. */
  readonly callWithoutRights: CallCluster;
  /** How long what works may take here. */
  readonly patienceMs: number;
  /** Makes a workload; its pods end at once, or not before the test is over, or never become ready for this reason. */
  deploy(workload: Workload, replicas: number, how?: "well" | "never ending" | Trouble): Promise<void>;
  /** As a stranger, in whatever way. */
  setReplicas(workload: Workload, replicas: number): Promise<void>;
  addAutoscaler(name: string, target: Workload): Promise<void>;
  /** The ping sources that are there, as they lie in the cluster. */
  pingSources(): Promise<readonly PingSourceSeen[]>;
  /** The token of a user that has these verbs on the function's own service. */
  userToken(
    name: string,
    given: { readonly audience: string; readonly verbs: readonly string[] },
  ): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type PingSourceSeen = {
  readonly metadata: {
    readonly name: string;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
  readonly spec: {
    readonly schedule: string;
    readonly sink: { readonly ref: { readonly kind: string; readonly name: string } };
  };
};
