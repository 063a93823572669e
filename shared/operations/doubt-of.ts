import { parseJournal } from "../backup/journal.ts";
import type { DoubtfulRecord } from "../backup/run.ts";
import { workloadText } from "../backup/workload.ts";

/** Why nothing of its database is restored, and what only a person can do about it. */
export function doubtOf(record: DoubtfulRecord): { readonly detail: string; readonly remedy: string } {
  const { id, why } = record;
  const replicas = replicasIn(record);
  const told = replicas === "" ? "" : ` (it says that there were ${replicas})`;
  return {
    detail: `the record of ${id} ${why}: what that restore stopped or changed is unknown${told}`,
    remedy: `give the workloads their replicas, then move .dormouse/runs/${id}.json away: docs/on-the-day-it-burns.md`,
  };
}

/** Names as Kubernetes has them: a text that others wrote is shown to who may type it into a shell. */
const WORKLOAD_NAME = /^[a-z0-9][-.a-z0-9]{0,252}$/;

function replicasIn({ says }: DoubtfulRecord): string {
  try {
    const workloads = parseJournal(says?.journal)?.workloads ?? [];
    return workloads
      .filter(({ name }) => WORKLOAD_NAME.test(name))
      .map(({ replicas, ...workload }) => `${workloadText(workload)} ${replicas}`)
      .join(", ");
  } catch {
    return "";
  }
}
