import type { Problem } from "../../../shared/errors.ts";
import type { Comparison } from "../../../shared/postgres/databases/compare-rows.ts";
import { choiceWarnings } from "../../../shared/postgres/load/load-choice.ts";
import type { RestorePlan } from "../plan/restore-plan.ts";
import { EFFECTS, type Strategy } from "../plan/strategy.ts";
import { type OpenRestore, readJournal } from "../restoring.ts";

export type RestartedWorkload = {
  readonly workload: string;
  readonly replicas: number;
  readonly ready: boolean;
  /** Why it is not. */
  readonly why?: string | undefined;
};

/** How long the application was down, in three parts; nothing where nothing was stopped. */
export type Downtime = {
  /** From the stop of the first workload (or the fence) until the last one was ready. */
  readonly downtimeMs?: number;
  /** What the pods took to end. */
  readonly stoppingMs?: number;
  /** From there until the database could be used again. */
  readonly swapMs?: number;
  /** What the pods took to become ready, one workload after the other. */
  readonly startingMs?: number;
};

/** What became of what was stopped. */
export type Stopped = Downtime & { readonly workloads: readonly RestartedWorkload[] };

export const NOTHING_STOPPED: Stopped = { workloads: [] };

export type RestoreResult = Stopped & {
  readonly run: string;
  readonly strategy: Strategy;
  readonly database: string;
  /** Name of the backup, or of the run that was undone. */
  readonly source: string;
  /** Where the rows are now; absent after a rehearsal. */
  readonly target?: string | undefined;
  /** What was compared with the backup and found equal. */
  readonly compared?: Comparison | undefined;
  /** That it has made, without a password: they may not log in. */
  readonly rolesMade?: readonly string[] | undefined;
  /** The body of a POST that takes it back, and until when. */
  readonly undo?: { readonly body: Readonly<Record<string, string>>; readonly until?: string } | undefined;
  readonly warnings: readonly string[];
};

/** The events of a restore. */
export type RestoreEvent =
  | {
      readonly type: "dev.dormouse.restore.planned";
      readonly subject: string;
      readonly data: RestorePlan;
    }
  | {
      readonly type:
        "dev.dormouse.restore.completed" | "dev.dormouse.restore.undone" | "dev.dormouse.rehearsal.completed";
      readonly subject: string;
      readonly data: RestoreResult;
    }
  | {
      /** Unsettled: it is neither complete nor taken back, and the next process goes on. */
      readonly type:
        | "dev.dormouse.restore.rolledback"
        | "dev.dormouse.restore.unsettled"
        | "dev.dormouse.rehearsal.failed";
      readonly subject: string;
      readonly data: { readonly run: string; readonly database: string; readonly problem: Problem };
    };

/** The result of a restore that has ended, for this process or for one that finished another's. */
export function readResult(restore: OpenRestore, stopped: Stopped): RestoreResult {
  const journal = readJournal(restore);
  const { strategy, source, database, target, compared, roles } = journal;
  const undo = describeUndo(restore);
  return {
    run: restore.run.id,
    strategy,
    database,
    source,
    target: EFFECTS[strategy].drops ? undefined : (target ?? database),
    compared,
    ...stopped,
    rolesMade: EFFECTS[strategy].drops ? undefined : roles,
    ...(undo === undefined ? {} : { undo }),
    warnings: [
      ...choiceWarnings(journal),
      ...stopped.workloads.flatMap(({ workload, ready, why }) =>
        ready ? [] : [`${workload} is not ready: ${why}`],
      ),
    ],
  };
}

/** A safety backup is pinned and stays; a database that a swap took out of use does not. */
function describeUndo(restore: OpenRestore): RestoreResult["undo"] {
  const { strategy, kept, keptUntil: until, safety } = readJournal(restore);
  if (safety !== undefined) return { body: { filename: safety, strategy: "in-place" } };
  if (kept === undefined || !EFFECTS[strategy].swaps) return undefined;
  return { body: { undo: restore.run.id }, ...(until === undefined ? {} : { until }) };
}
