import type { Comparison } from "../../../shared/postgres/databases/compare-rows.ts";
import type { Strategy } from "../plan/strategy.ts";

export type RestartedWorkload = {
  readonly workload: string;
  readonly replicas: number;
  readonly ready: boolean;
  /** Why it is not. */
  readonly why?: string | undefined;
};

export type RestoreResult = {
  readonly run: string;
  readonly strategy: Strategy;
  readonly database: string;
  /** Name of the backup, or of the run that was undone. */
  readonly source: string;
  /** Where the rows are now; absent after a rehearsal. */
  readonly target?: string | undefined;
  /** What was compared with the backup and found equal. */
  readonly compared?: Comparison | undefined;
  /** From the stop of the first workload (or the fence) until the last one was ready; absent where nothing was stopped. */
  readonly downtimeMs?: number | undefined;
  readonly workloads: readonly RestartedWorkload[];
  /** The body of a POST that takes it back, and until when. */
  readonly undo?: { readonly body: Readonly<Record<string, string>>; readonly until?: string } | undefined;
  readonly warnings: readonly string[];
};
