import { findBlockers, type Blocker } from "./blockers.ts";
import { EFFECTS, type Strategy } from "./strategy.ts";
import type { Omission } from "../../../shared/postgres/lacks.ts";
import type { LoadChoice } from "../../../shared/postgres/databases/load-choice.ts";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { Restorable } from "./restorable.ts";
import type { ArchiveDemands } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import type { PlannedRole } from "../../../shared/postgres/roles/planned-roles.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";
import { likenessWarnings } from "./likeness-warnings.ts";
import { SESSIONS_BESIDE } from "./remedies.ts";
import { workloadText, type Workload, type WorkloadState } from "../workloads/workload.ts";

/** An archive is a program: a role that can do little does little harm with a bad one. */
export const RESTORE_ROLE =
  "use a role with CREATEDB that is a member of the database's owner, as docs/roles.md makes it";

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

export type PlanRequest = {
  readonly strategy: Strategy;
  readonly database: string;
  /** What is loaded; an undo loads nothing. */
  readonly backup: Restorable | undefined;
  readonly target: string;
  readonly fromElsewhere?: boolean | undefined;
  readonly choice?: LoadChoice | undefined;
  /** What the archive itself holds, where it was looked at. */
  readonly demands?: ArchiveDemands | undefined;
  /** Rows that a safety backup by this role would not have. */
  readonly lacks?: readonly Omission[] | undefined;
  readonly facts: TargetFacts;
  readonly workloads: readonly { readonly workload: Workload; readonly state: WorkloadState }[];
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
    warnings: [...request.warnings, ...whichWarnings(backup), ...listWarnings(request)],
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

function whichWarnings({
  elsewhere,
  suspicion,
  name,
  database,
  decision,
}: Partial<Restorable> = {}): string[] {
  return [
    ...(decision === undefined
      ? []
      : [`${name} is taken for a backup of ${JSON.stringify(database)}: ${decision.how}`]),
    ...(suspicion === undefined
      ? []
      : [
          `the backup is suspect: ${suspicion.detail}; the last one before it that is not suspect is ${suspicion.against}`,
        ]),
    ...(elsewhere === undefined ? [] : [`the backup comes from elsewhere: ${elsewhere}`]),
  ];
}

/** A swap with a slot that is in use is blocked. In place a slot stays, and decodes what is loaded: no DROP, but rows. */
function slotWarnings(strategy: Strategy, { activeSlots, inactiveSlots }: TargetFacts): string[] {
  const { swaps, replaces } = EFFECTS[strategy];
  if (swaps) return inactiveSlots.map((slot) => `replication slot ${slot} stays with the old database`);
  if (!replaces) return [];
  return [...activeSlots, ...inactiveSlots].map(
    (slot) => `what reads replication slot ${slot} is sent the loaded rows, and not that others are gone`,
  );
}

/** What others have of this role's connections is known when they are missing. */
function connectionWarnings({ strategy, backup, facts }: PlanRequest): string[] {
  const { roleConnectionLimit: limit, loadSessions, role } = facts;
  if (EFFECTS[strategy].replaces || backup?.format !== "custom" || limit < 0) return [];
  return limit > loadSessions && limit < loadSessions + SESSIONS_BESIDE
    ? [`the role ${role} may have ${limit} sessions at once, of which the load takes ${loadSessions}`]
    : [];
}

function emptyTables(manifest: BackupManifest | undefined): string[] {
  return (manifest?.excluded?.tables ?? []).map(
    ({ schema, name, bytes }) =>
      `table ${schema}.${name} will be empty: its rows (${bytes} bytes) were left out of the backup`,
  );
}

function roleWarnings({ backup, choice, facts }: PlanRequest): string[] {
  if (backup === undefined || choice?.createRoles !== true || !facts.mayCreateRoles) return [];
  return facts.rolesToMake.map(({ name, withheld }) => {
    const without =
      withheld.length === 0
        ? ""
        : `, and without what this role or server cannot give: ${withheld.join(", ")}`;
    return `role ${name} is made without a password and may not log in${without}`;
  });
}

function madeAnew({ strategy, facts, backup }: PlanRequest): string[] {
  if (facts.exists || EFFECTS[strategy].loads === undefined) return [];
  return backup?.manifest?.properties === undefined
    ? [
        "there is no live database: it is made anew, with the encoding, locale, grants and settings of the server",
      ]
    : ["there is no live database: it is made anew as the backup notes it"];
}

function trustWarnings({ facts, backup }: PlanRequest): string[] {
  if (backup === undefined) return [];
  return [
    ...(facts.isSuperuser
      ? [
          `the SQL of the archive runs as a superuser, with all that the server's user may do: ${RESTORE_ROLE}`,
        ]
      : []),
    ...(backup.manifest === undefined
      ? [
          "this file of the old pod has no manifest: only its own end shows that it is whole",
          "what roles, extensions and tablespaces it needs is known once it has been read, before anything is touched",
        ]
      : []),
  ];
}

function listWarnings(request: PlanRequest): string[] {
  const { strategy, facts, backup, workloads } = request;
  const { needsBackup, replaces } = EFFECTS[strategy];
  const manifest = backup?.manifest;
  return [
    ...trustWarnings(request),
    ...emptyTables(manifest),
    ...(manifest?.lacks ?? []).filter(({ data }) => data).map(({ detail }) => `the backup lacks ${detail}`),
    ...madeAnew(request),
    ...roleWarnings(request),
    ...(needsBackup ? likenessWarnings(strategy, facts, manifest) : []),
    ...(!needsBackup && !facts.exists
      ? ["there is no live database: nothing is kept by which the undo could be taken back"]
      : []),
    ...slotWarnings(strategy, facts),
    ...connectionWarnings(request),
    ...(replaces
      ? facts.eventTriggersOfOthers.map(
          (name) => `event trigger ${name} fires for what is replaced, and may write`,
        )
      : []),
    ...workloads.flatMap(({ workload, state }) =>
      state.replicas === 0
        ? [
            `${workloadText(workload)} has no replicas now, and will have none afterwards: start it first if it should run`,
          ]
        : [],
    ),
    ...workloads.flatMap(({ workload, state }) =>
      (state.autoscalers ?? []).map((name) => `${name} may scale ${workloadText(workload)} meanwhile`),
    ),
  ];
}
