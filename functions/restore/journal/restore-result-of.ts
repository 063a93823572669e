import { choiceWarnings } from "../../../shared/postgres/databases/load-choice.ts";
import { EFFECTS } from "../plan/strategy.ts";
import type { RestoreResult } from "./restore-result.ts";
import type { Swapped } from "../swap-databases.ts";
import type { JournaledRun } from "./journaled-run.ts";

/** The result of a saga that has ended, for this process or for one that finished another's. */
export function readResult(saga: JournaledRun, { downtimeMs, workloads }: Swapped): RestoreResult {
  const journal = saga.journal();
  const { strategy, source, database, target, compared } = journal;
  const undo = describeUndo(saga);
  return {
    run: saga.context.run.id,
    strategy,
    database,
    source,
    target: EFFECTS[strategy].drops ? undefined : (target ?? database),
    compared,
    downtimeMs,
    workloads,
    ...(undo === undefined ? {} : { undo }),
    warnings: [
      ...choiceWarnings(journal),
      ...workloads.flatMap(({ workload, ready, why }) => (ready ? [] : [`${workload} is not ready: ${why}`])),
    ],
  };
}

/** A safety backup is pinned and stays; a database that a swap took out of use does not. */
function describeUndo(saga: JournaledRun): RestoreResult["undo"] {
  const { strategy, kept, keptUntil: until, safety } = saga.journal();
  if (safety !== undefined) return { body: { filename: safety, strategy: "in-place" } };
  if (kept === undefined || !EFFECTS[strategy].swaps) return undefined;
  return { body: { undo: saga.context.run.id }, ...(until === undefined ? {} : { until }) };
}
