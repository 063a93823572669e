import { good, type Check, type Finding } from "../../../shared/doctor/finding.ts";
import { workloadText, type Workload, type Workloads } from "../workloads/workload.ts";

/** Whether what is to be stopped and started is there, and what would interfere. */
export function workloadsCheck(cluster: Workloads, workloads: readonly Workload[]): Check {
  return {
    name: "workloads",
    async look(signal) {
      if (workloads.length === 0) {
        const fix = "name them in APP_WORKLOADS, in the order of starting";
        return [{ state: "warning", detail: "a restore stops nothing: no workload is named", fix }];
      }
      const found = await Promise.all(workloads.map((workload) => lookAt(cluster, workload, signal)));
      return found.flat();
    },
  };
}

async function lookAt(
  cluster: Workloads,
  workload: Workload,
  signal: AbortSignal,
): Promise<readonly Omit<Finding, "check">[]> {
  const { replicas, autoscalers = [] } = await cluster.read(workload, signal);
  const name = workloadText(workload);
  return [
    good(`${name} is there, with ${replicas} replicas`),
    ...autoscalers.map((autoscaler) => ({
      state: "warning" as const,
      detail: `${autoscaler} may scale ${name} up during a restore`,
      fix: "it pauses at zero replicas; others, like KEDA, must be paused by hand",
    })),
  ];
}
