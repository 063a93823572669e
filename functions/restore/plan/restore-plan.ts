import { findBlockers, type Blocker } from "./blockers.ts";
import { EFFECTS, type Strategy } from "./strategy.ts";
import type { Restorable } from "./restorable.ts";
import type { PlannedRole } from "../../../shared/postgres/roles/planned-roles.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";
import { listWarnings, type Planned } from "./plan-warnings.ts";
import { workloadText, type WorkloadState } from "../workloads/workload.ts";

type PlannedWorkload = WorkloadState & { readonly workload: string };

/** All that a restore would do, shown before it does. */
export type RestorePlan = {
  readonly strategy: Strategy;
  readonly database: string;
  /** Where the rows end up. */
  readonly target: string;
  readonly backup:
    | {
        readonly name: string;
        readonly startedAt: string;
        readonly sizeBytes: number;
        readonly sha256?: string | undefined;
        readonly format: string;
        readonly tables?: number | undefined;
        readonly rows?: number | undefined;
        readonly serverVersion?: string | undefined;
        readonly verification?: string | undefined;
      }
    | undefined;
  readonly server: Pick<TargetFacts, "serverVersion" | "databaseBytes" | "sessions">;
  readonly workloads: readonly PlannedWorkload[];
  /** Those that the server lacks, each with what makes it: before the load with `createRoles`, else by hand. */
  readonly missingRoles: readonly PlannedRole[];
  /** On the server, besides what the live database has; the server alone knows how much is free. */
  readonly neededBytes: number;
  readonly steps: readonly string[];
  readonly downtime: string;
  readonly blockers: readonly Blocker[];
  readonly warnings: readonly string[];
};

export type PlanRequest = Planned & {
  readonly database: string;
  readonly target: string;
  /** Found before. */
  readonly warnings: readonly string[];
};

export function planRestore(request: PlanRequest): RestorePlan {
  const { strategy, backup, facts, target } = request;
  const workloads = EFFECTS[strategy].stops
    ? request.workloads.map(({ workload, state }) => ({ workload: workloadText(workload), ...state }))
    : [];
  return {
    strategy,
    database: request.database,
    target,
    backup: backup && describe(backup),
    server: {
      serverVersion: facts.serverVersion,
      databaseBytes: facts.databaseBytes,
      sessions: facts.sessions,
    },
    workloads,
    missingRoles: backup === undefined ? [] : facts.rolesToMake,
    neededBytes: backup === undefined ? 0 : (backup.manifest?.content.databaseBytes ?? facts.databaseBytes),
    steps: listSteps(strategy, workloads, target),
    downtime: estimateDowntime(strategy, workloads.length),
    blockers: findBlockers(strategy, request),
    warnings: [...request.warnings, ...listWarnings(request)],
  };
}

function describe({ name, startedAt, sizeBytes, format, manifest, elsewhere }: Restorable) {
  return {
    name,
    elsewhere,
    startedAt: startedAt.toISOString(),
    sizeBytes,
    sha256: manifest?.archive.sha256,
    format,
    tables: manifest?.content.tables.length,
    rows: manifest?.content.rows,
    serverVersion: manifest?.versions.server,
    verification: manifest?.verification.level,
  };
}

function listSteps(strategy: Strategy, workloads: readonly PlannedWorkload[], target: string): string[] {
  const names = workloads.map(({ workload, replicas }) => `${workload} (${replicas})`);
  const stop = names.length === 0 ? [] : [`stop ${names.toReversed().join(", ")}`];
  const start = names.length === 0 ? [] : [`start ${names.join(", ")}, each until it is ready`];
  const verify = "verify the whole archive";
  const load = [verify, "load it into a database of its own", "compare the rows of each table"];
  const swap = ["close the live database and end its sessions", "exchange both in one transaction"];
  const steps: Record<Strategy, readonly string[]> = {
    swap: [...load, ...stop, ...swap, ...start],
    undo: [...stop, ...swap, ...start],
    "in-place": [verify, ...stop, "take a safety backup", "replace all content in one transaction", ...start],
    rehearse: [...load, "drop it", "note in the manifest what was proved"],
    beside: [...load, `call it ${target}`],
  };
  return [...steps[strategy]];
}

function estimateDowntime(strategy: Strategy, workloads: number): string {
  const { stops, replaces } = EFFECTS[strategy];
  if (!stops) return "none";
  const around = workloads === 0 ? "" : `, and as long as ${workloads} workloads take to stop and start`;
  return replaces
    ? `the time of a backup and of the load${around}`
    : `some seconds for the swap, whatever the size${around}`;
}
