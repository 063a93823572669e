import type { Given } from "./blocker-rule.ts";
import { likenessWarnings } from "./likeness-warnings.ts";
import { RESTORE_ROLE, SESSIONS_BESIDE } from "./remedies.ts";
import type { Restorable } from "./restorable.ts";
import { EFFECTS, type Strategy } from "./strategy.ts";
import { workloadText, type Workload, type WorkloadState } from "../workloads/workload.ts";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";

/** An undo loads no backup. */
export type Planned = Given & {
  readonly strategy: Strategy;
  readonly workloads: readonly { readonly workload: Workload; readonly state: WorkloadState }[];
};

/** What does not keep a restore from succeeding, and an operator should know before it. */
export function listWarnings(request: Planned): string[] {
  const { strategy, facts, backup, workloads } = request;
  const { needsBackup, replaces } = EFFECTS[strategy];
  const manifest = backup?.manifest;
  return [
    ...whichWarnings(backup),
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
function connectionWarnings({ strategy, backup, facts }: Planned): string[] {
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

function roleWarnings({ backup, choice, facts }: Planned): string[] {
  if (backup === undefined || choice?.createRoles !== true || !facts.mayCreateRoles) return [];
  return facts.rolesToMake.map(({ name, withheld }) => {
    const without =
      withheld.length === 0
        ? ""
        : `, and without what this role or server cannot give: ${withheld.join(", ")}`;
    return `role ${name} is made without a password and may not log in${without}`;
  });
}

function madeAnew({ strategy, facts, backup }: Planned): string[] {
  if (facts.exists || EFFECTS[strategy].loads === undefined) return [];
  return backup?.manifest?.properties === undefined
    ? [
        "there is no live database: it is made anew, with the encoding, locale, grants and settings of the server",
      ]
    : ["there is no live database: it is made anew as the backup notes it"];
}

function trustWarnings({ facts, backup }: Planned): string[] {
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
