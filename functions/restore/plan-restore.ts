import { unmetNeeds, type Blocker } from "./plan/blockers.ts";
import { EFFECTS, type Strategy } from "./plan/strategy.ts";
import type { PlacedListing } from "../../shared/catalog/merged-catalog.ts";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import { copyRoomBlockers } from "./plan/copy-room.ts";
import { onVolume } from "../../shared/catalog/origin.ts";
import { fatalOmissions, type Omission } from "../../shared/postgres/lacks.ts";
import { choiceOf, type LoadChoice } from "../../shared/postgres/databases/load-choice.ts";
import type { ArchiveDemands } from "../../shared/postgres/databases/restore-port.ts";
import { findRestorable, parseWanted, type Restorable, type WantedBackup } from "./plan/restorable.ts";
import { planRestore, type RestorePlan } from "./plan/restore-plan.ts";
import { unsafeTools } from "./plan/unsafe-tools.ts";
import { suspectsIn } from "./plan/suspects.ts";
import { asDormouseError, DormouseError } from "../../shared/errors.ts";
import { findDoubts, type Doubt } from "./journal/doubts-of.ts";
import { lookAt } from "./look-at-archive.ts";
import { originNow } from "../../shared/backup/origin-now.ts";
import type { RestoreDependencies, RestoreRequest } from "./restore-dependencies.ts";
import { runDatabase } from "../../shared/postgres/databases/own-database.ts";

/** What was asked for, found. */
export type Found = {
  readonly strategy: Strategy;
  readonly backup: Restorable | undefined;
  readonly fromElsewhere: boolean;
  readonly choice: LoadChoice;
  /** The run that an undo takes back, with the database that it kept. */
  readonly undone?: { readonly run: string; readonly kept: string } | undefined;
  readonly target: string;
};

/** Reads the name before anything else is touched, then the catalog. */
export async function findWanted(
  deps: RestoreDependencies,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<Found> {
  const { database, suspectDropPercent: dropPercent } = deps.settings;
  if (request.kind === "undo") return findUndone(deps, request.run, signal);
  const wanted = parseWanted(request.filename, database);
  const local = await deps.volume.list(signal);
  const origin = await originNow(deps, onVolume(local.backups, database), signal);
  const fromElsewhere = request.fromElsewhere === true;
  // What the volume has by that name counts, and waits for no bucket.
  const listing: PlacedListing | CatalogListing = isIn(local, wanted)
    ? local
    : await deps.catalog.list(signal);
  const found = findIn(listing, () => findRestorable(listing, database, wanted, { origin, fromElsewhere }));
  const suspicion = suspectsIn(listing, { database, origin, dropPercent }).get(found.name);
  const backup = suspicion === undefined ? found : { ...found, suspicion };
  return {
    strategy: request.strategy,
    backup,
    fromElsewhere,
    choice: choiceOf(request),
    target: request.target ?? database,
  };
}

function isIn({ backups, legacy }: CatalogListing, wanted: WantedBackup): boolean {
  return "name" in wanted && [...backups, ...legacy].some(({ name }) => name === wanted.name);
}

/** What was not found may lie in a bucket that did not answer: the answer must not say that it is gone. */
function findIn(listing: PlacedListing | CatalogListing, find: () => Restorable): Restorable {
  try {
    return find();
  } catch (error) {
    const { code, message } = asDormouseError(error);
    const problem = "bucketProblem" in listing ? listing.bucketProblem : undefined;
    if (code !== "backup_not_found" || problem === undefined) throw error;
    throw new DormouseError(problem.code, `${message} on the volume, and ${problem.message}`, {
      hint: problem.hint,
      cause: error,
    });
  }
}

/** By the server alone: an undo needs no record, and none can make it bring back anything else. */
async function findUndone(deps: RestoreDependencies, id: string, signal: AbortSignal): Promise<Found> {
  const { database } = deps.settings;
  if (!/^restore-[0-9a-f]{24}$/.test(id)) throw notUndone(`${JSON.stringify(id)} is not the id of a restore`);
  const kept = runDatabase(database, "before", id);
  const mark = (await deps.server.look([kept], signal)).get(kept);
  if (mark === undefined)
    throw notUndone(`there is no database ${JSON.stringify(kept)} that restore ${id} kept`);
  if (mark.kept?.by !== id)
    throw notUndone(`the server does not say that restore ${id} kept the database ${JSON.stringify(kept)}`);
  return {
    strategy: "undo",
    backup: undefined,
    fromElsewhere: false,
    choice: {},
    undone: { run: id, kept },
    target: database,
  };
}

function notUndone(message: string): DormouseError {
  return new DormouseError("undo_unavailable", message, {
    hint: "GET / lists what can be undone; a restore in place is undone by restoring its safety backup",
  });
}

/** Looks at everything that a restore would touch and touches nothing. */
export async function toPlan(
  deps: RestoreDependencies,
  { strategy, backup, fromElsewhere, choice, target }: Found,
  signal: AbortSignal,
): Promise<{ readonly plan: RestorePlan; readonly serverMajor: number }> {
  const { database } = deps.settings;
  const { facts, tools, demands, warnings } = await lookAt(deps, { backup, choice, target }, signal);
  const workloads = [];
  const { stops, replaces } = EFFECTS[strategy];
  for (const workload of stops ? deps.settings.workloads : [])
    workloads.push({ workload, state: await deps.workloads.read(workload, signal) });
  const { missing } = stops ? await deps.wakeUpSource.check(signal) : {};
  const unwoken =
    missing === undefined ? [] : [`nothing would wake this function if its pod died: ${missing}`];
  const lacks = replaces && facts.exists ? await listOmissions(deps, signal) : [];
  const found = { strategy, database, backup, fromElsewhere, choice, target, facts, demands, lacks };
  const plan = planRestore({ ...found, workloads, warnings: [...warnings, ...unwoken] });
  const doubtful = (await findDoubts(deps, signal)).filter(({ stops: isStop }) => isStop).map(toBlocker);
  const around = [...doubtful, ...unsafeTools(backup, tools), ...(await withoutRoom(deps, backup))];
  const blockers = [...around, ...plan.blockers];
  return { plan: { ...plan, blockers }, serverMajor: facts.serverMajor };
}

/** The safety backup of a restore in place must hold all. */
async function listOmissions(deps: RestoreDependencies, signal: AbortSignal): Promise<readonly Omission[]> {
  const { lacks } = await deps.inspect(deps.settings.database, signal);
  return fatalOmissions(lacks, new Set());
}

async function withoutRoom(
  { files }: RestoreDependencies,
  backup: Restorable | undefined,
): Promise<Blocker[]> {
  return backup === undefined ? [] : copyRoomBlockers(backup.name, await files.room(backup));
}

/** What such a restore has stopped or changed is unknown: the replicas that are seen now may be those that it left. */
function toBlocker({ run, detail, remedy }: Doubt): Blocker {
  return { kind: "record-doubtful", names: [run], detail, remedy };
}

/** For what the archive itself tells, once it has been read to its end: nothing has been touched by then. */
export async function refuseUnmet(
  { server, settings: { database } }: RestoreDependencies,
  given: { readonly strategy: Strategy; readonly backup: Restorable; readonly demands: ArchiveDemands },
  signal: AbortSignal,
): Promise<void> {
  const { strategy, backup, demands } = given;
  const { needs, makes } = demands;
  const noted = backup.manifest;
  const facts = await server.inspect({ database, target: database, needs, makes, noted }, signal);
  refuseBlocked({ database, blockers: unmetNeeds(strategy, { facts, backup, demands }) });
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
