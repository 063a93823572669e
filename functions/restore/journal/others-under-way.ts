import { DormouseError } from "../../../shared/errors.ts";
import { isUnfinished } from "../../../shared/run/run.ts";
import type { RestoreDependencies } from "../restoring.ts";
import { workloadText, type Workload } from "../workloads/workload.ts";
import { parseJournal, type RestoreJournal } from "./journal.ts";

type OtherRestore = { readonly run: string; readonly journal: RestoreJournal };

/**
 * The restores beside `own`, of whichever database of this installation, that have begun and not ended. What they have
 * stopped, and the ping source that would wake them, is theirs, also where their process is gone.
 */
export async function othersUnderWay(
  { runs, choice }: Pick<RestoreDependencies, "runs" | "choice">,
  own?: string,
): Promise<readonly OtherRestore[]> {
  const all = await runs.all("restore");
  const unfinished = all.filter(
    (run) => isUnfinished(run) && run.id !== own && choice.includes(run.database),
  );
  return unfinished.flatMap(({ id, journal: recorded }) => {
    const journal = parseJournal(recorded);
    return journal === undefined || journal.phase === "ended" ? [] : [{ run: id, journal }];
  });
}

type StoppedByOther = { readonly run: string; readonly replicas: number };

/** The restore that has stopped a workload and not started it again, and with how many replicas it will. */
export function stoppedByOther(
  others: readonly OtherRestore[],
  { kind, name }: Workload,
): StoppedByOther | undefined {
  for (const { run, journal } of others) {
    const recorded = journal.workloads?.find((each) => each.kind === kind && each.name === name);
    if (recorded !== undefined) return { run, replicas: recorded.replicas };
  }
  return undefined;
}

export function workloadBusy(workload: Workload, { run }: StoppedByOther): DormouseError {
  const message = `${workloadText(workload)} is stopped by the restore ${run}, which has not started it again`;
  return new DormouseError("workload_busy", message, {
    hint: `nothing has changed: ask again when GET /runs/${run} says that it has ended; databases with workloads of their own, by APP_WORKLOADS, do not wait for each other`,
  });
}
