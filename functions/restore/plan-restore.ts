import { inspectDatabase } from "../../shared/postgres/preflight.ts";
import { fatalOmissions, type Omission } from "../../shared/postgres/lacks.ts";
import type { TargetFacts } from "../../shared/postgres/properties/target-facts.ts";
import type { ArchiveDemands } from "../../shared/postgres/plain-dump/plain-dump.ts";
import { DormouseError } from "../../shared/errors.ts";
import type { Found } from "./find-wanted.ts";
import { findDoubts, type Doubt } from "./journal/doubts-of.ts";
import { othersUnderWay, stoppedByOther } from "./journal/others-under-way.ts";
import { workloadText, type Workload, type WorkloadState } from "./workloads/workload.ts";
import { inspectArchive } from "./archive/inspect-archive.ts";
import type { Load } from "./archive/verify-archive.ts";
import { unmetNeeds, type Blocker } from "./plan/blockers.ts";
import { rehearsalRoom } from "./rehearsal/room.ts";
import type { Restorable } from "./plan/restorable.ts";
import { planRestore, type RestorePlan } from "./plan/restore-plan.ts";
import { EFFECTS, type Strategy } from "./plan/strategy.ts";
import type { Planning } from "./restoring.ts";
import { copyRoomBlockers, olderTools, unsafeTools } from "./plan/archive-blockers.ts";

/** Looks at everything that a restore would touch and touches nothing. */
export async function toPlan(
  planning: Planning,
  { strategy, backup, fromElsewhere, choice, target }: Found,
): Promise<{ readonly plan: RestorePlan; readonly facts: TargetFacts }> {
  const { settings, wakeUpSource, signal, sign, judge } = planning;
  const { database } = settings;
  const { facts, tools, demands, warnings, older } = await inspectArchive(planning, {
    backup,
    choice,
    target,
  });
  const { stops, replaces } = EFFECTS[strategy];
  const { workloads, waits } = await readWorkloads(planning, stops ? settings.workloads : []);
  const { missing } = stops ? await wakeUpSource.check(signal) : {};
  const unwoken =
    missing === undefined ? [] : [`nothing would wake this function if its pod died: ${missing}`];
  const unsigned =
    replaces && facts.exists && judge !== undefined && sign === undefined ? [SAFETY_UNSIGNED] : [];
  const lacks = replaces && facts.exists ? await listOmissions(planning) : [];
  const found = { strategy, database, backup, fromElsewhere, choice, target, facts, demands, lacks };
  const plan = planRestore({
    ...found,
    workloads,
    warnings: [...warnings, ...unwoken, ...unsigned, ...waits],
  });
  const doubtful = (await findDoubts(planning, signal)).filter(({ stops: isStop }) => isStop).map(toBlocker);
  const around = [
    ...doubtful,
    ...unsafeTools(backup, tools),
    ...olderTools(backup, older),
    ...(await withoutRoom(planning, strategy, backup)),
  ];
  const blockers = [...around, ...plan.blockers];
  return { plan: { ...plan, blockers }, facts };
}

const SAFETY_UNSIGNED =
  "the safety backup will bear no signature, and MANIFEST_PUBLIC_KEY lets no such backup be restored: set MANIFEST_SIGNING_KEY for this function as well";

/** One that the restore of another database has stopped will have its replicas again before this one stops it. */
async function readWorkloads(planning: Planning, wanted: readonly Workload[]) {
  const others = wanted.length === 0 ? [] : await othersUnderWay(planning);
  const workloads: { readonly workload: Workload; readonly state: WorkloadState }[] = [];
  const waits: string[] = [];
  for (const workload of wanted) {
    const state = await planning.workloads.read(workload, planning.signal);
    const other = stoppedByOther(others, workload);
    workloads.push({ workload, state: other === undefined ? state : { ...state, replicas: other.replicas } });
    if (other !== undefined)
      waits.push(
        `${workloadText(workload)} is stopped by ${other.run}: this restore waits until it is started again`,
      );
  }
  return { workloads, waits };
}

/** The safety backup of a restore in place must hold all. */
async function listOmissions({ connection, settings, signal }: Planning): Promise<readonly Omission[]> {
  const { lacks } = await inspectDatabase(connection, settings.database, signal);
  return fatalOmissions(lacks, new Set());
}

async function withoutRoom(
  planning: Planning,
  strategy: Strategy,
  backup: Restorable | undefined,
): Promise<Blocker[]> {
  if (backup === undefined) return [];
  const copy = copyRoomBlockers(backup.name, await planning.files.room(backup));
  return EFFECTS[strategy].drops ? [...copy, ...(await rehearsalRoom(planning, backup))] : copy;
}

/** What such a restore has stopped or changed is unknown: the replicas that are seen now may be those that it left. */
function toBlocker({ run, detail, remedy }: Doubt): Blocker {
  return { kind: "record-doubtful", names: [run], detail, remedy };
}

/** For what the archive itself shows, once it has been read to its end: nothing has been touched by then. */
export async function refuseUnmet(
  { server, settings: { database }, signal }: Planning,
  given: Pick<Load, "backup" | "choice"> & { readonly strategy: Strategy; readonly demands: ArchiveDemands },
): Promise<TargetFacts> {
  const { strategy, backup, choice, demands } = given;
  const { needs, makes } = demands;
  const noted = backup.manifest;
  const facts = await server.inspect({ database, target: database, needs, makes, noted }, signal);
  refuseBlocked({ database, blockers: unmetNeeds(strategy, { facts, backup, choice, demands }) });
  return facts;
}

/** Throws `restore_blocked` with every reason at once. */
export function refuseBlocked({ blockers, database }: Pick<RestorePlan, "blockers" | "database">): void {
  if (blockers.length === 0) return;
  throw new DormouseError(
    "restore_blocked",
    `the restore of ${JSON.stringify(database)} is blocked: ${blockers.map(({ detail }) => detail).join("; ")}`,
    { hint: blockers.map(({ remedy }) => remedy).join("; ") },
  );
}
