import { choiceWarnings } from "../../../shared/postgres/databases/load-choice.ts";
import type { RestoreResult } from "./restore-result.ts";
import type { Exchanged } from "../exchange-databases.ts";
import type { Saga } from "./saga.ts";

/** The result of a saga that has ended, for this process or for one that finished another's. */
export function resultOf(saga: Saga, { downtimeMs, workloads }: Exchanged): RestoreResult {
  const journal = saga.journal();
  const { strategy, source, database, target, compared } = journal;
  const undo = undoOf(saga);
  return {
    run: saga.context.run.id,
    strategy,
    database,
    source,
    target: strategy === "rehearse" ? undefined : (target ?? database),
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

/** A safety backup is pinned and stays; a database that an exchange took out of use does not. */
function undoOf(saga: Saga): RestoreResult["undo"] {
  const { strategy, kept, keptUntil: until, safety } = saga.journal();
  if (safety !== undefined) return { body: { filename: safety, strategy: "in-place" } };
  if (kept === undefined || (strategy !== "swap" && strategy !== "undo")) return undefined;
  return { body: { undo: saga.context.run.id }, ...(until === undefined ? {} : { until }) };
}
