import type { RestoreResult } from "../backup/restore-result.ts";
import type { Exchanged } from "./exchange-databases.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import type { Saga } from "./saga.ts";

/** The result of a saga that has ended, for this process or for one that finished another's. */
export function resultOf(
  deps: RestoreDependencies,
  saga: Saga,
  { downtimeMs, workloads }: Exchanged,
): RestoreResult {
  const { strategy, source, database, target, compared } = saga.journal();
  const undo = undoOf(deps, saga);
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
    warnings: workloads.flatMap(({ workload, ready, why }) =>
      ready ? [] : [`${workload} is not ready: ${why}`],
    ),
  };
}

/** A safety backup is pinned and stays; a database that an exchange took out of use does not. */
function undoOf({ settings, now }: RestoreDependencies, saga: Saga): RestoreResult["undo"] {
  const { strategy, kept, safety } = saga.journal();
  if (safety !== undefined) return { body: { filename: safety, strategy: "in-place" } };
  if (kept === undefined || (strategy !== "swap" && strategy !== "undo")) return undefined;
  const until = new Date(now().getTime() + settings.undoForMs).toISOString();
  return { body: { undo: saga.context.run.id }, until };
}
