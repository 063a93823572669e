export const WORKLOAD_KINDS = ["deployment", "statefulset", "deploymentconfig"] as const;
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number];

/** Something that uses the database and can be scaled: `deployment/server`. */
export type Workload = { readonly kind: WorkloadKind; readonly name: string };

/** `deployment/server`, as APP_WORKLOADS, journals and messages write it. */
export function workloadText({ kind, name }: Workload): string {
  return `${kind}/${name}`;
}

export type WorkloadState = {
  /** What the specification asks for. */
  readonly replicas: number;
  /** All of its pods that have not ended, terminating ones too: they may still hold a session. */
  readonly pods: number;
  /** What else may change its replicas, by name: `horizontalpodautoscaler/server`. `undefined`: we may not look. */
  readonly autoscalers: readonly string[] | undefined;
};

/** The workloads of one namespace. */
export type Workloads = {
  /** Throws `workload_not_found`, `workload_forbidden` (rights are lacking) or `cluster_unreachable`. */
  read(workload: Workload, signal: AbortSignal): Promise<WorkloadState>;
  /**
   * Sets the replicas from `from` to `to`, and only from `from`. Throws `workload_changed`, with nothing changed, when
   * another client set another number meanwhile.
   */
  scale(workload: Workload, from: number, to: number, signal: AbortSignal): Promise<void>;
  /**
   * Waits until not one pod is left. Throws `workload_not_stopped` at `limitMs`, naming the pods, and `workload_changed`
   * as soon as it is scaled up again.
   */
  awaitStopped(workload: Workload, limitMs: number, signal: AbortSignal): Promise<void>;
  /**
   * Waits until `replicas` pods are ready. Throws `workload_not_ready` at `limitMs`, with why a pod does not come up:
   * image, crash, quota, scheduling.
   */
  awaitReady(workload: Workload, replicas: number, limitMs: number, signal: AbortSignal): Promise<void>;
};

/** Wakes this function again and again while a run is unfinished, whatever becomes of its pod. One serves all its runs. */
export type WakeUpSource = {
  /** Asks whether the rights are there, and makes nothing: a plan warns of what is missing. */
  check(signal: AbortSignal): Promise<{ readonly missing?: string | undefined }>;
  /** Creates the source unless it is there. Answers why not when the rights are lacking. */
  ensure(run: string, signal: AbortSignal): Promise<{ readonly missing?: string | undefined }>;
  /** Removes it; that it is gone already is fine. Answers why not, as above: then it goes on waking the function. */
  remove(signal: AbortSignal): Promise<{ readonly missing?: string | undefined }>;
  /** Whether this source sends the events from there. */
  sends(eventSource: string): boolean;
};
