import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import type { PlacedListing } from "../../shared/catalog/merged-catalog.ts";
import { mayBeOf, type ArchiveName } from "../../shared/catalog/archive-name.ts";
import { isOwn, onVolume, originText, type Origin } from "../../shared/catalog/origin.ts";
import { odditiesIn } from "../../shared/retention/oddities.ts";
import { suspicionsIn, type Suspicion } from "../../shared/retention/suspicion.ts";
import { originNow } from "../../shared/backup/taking-backup.ts";
import { asDormouseError, DormouseError } from "../../shared/errors.ts";
import { choiceOf, type LoadChoice } from "../../shared/postgres/load/load-choice.ts";
import { runDatabase } from "../../shared/postgres/databases/own-database.ts";
import { findRestorable, parseWanted, type Restorable, type WantedBackup } from "./plan/restorable.ts";
import type { Strategy } from "./plan/strategy.ts";
import type { Planning, RestoreRequest } from "./restoring.ts";

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
export async function findWanted(planning: Planning, request: RestoreRequest): Promise<Found> {
  if (request.kind === "undo") return findUndone(planning, request.run);
  const { settings, volume, merged, signal } = planning;
  const { database, suspectDropPercent: dropPercent } = settings;
  const wanted = parseWanted(request.filename, database);
  const local = await volume.list(signal);
  const origin = await originNow(planning, onVolume(local.backups, database), signal);
  const fromElsewhere = request.fromElsewhere === true;
  // What the volume has by that name counts, and waits for no bucket.
  const listing: PlacedListing | CatalogListing = isIn(local, wanted) ? local : await merged.list(signal);
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
async function findUndone({ server, settings, signal }: Planning, id: string): Promise<Found> {
  const { database } = settings;
  if (!/^restore-[0-9a-f]{24}$/.test(id)) throw notUndone(`${JSON.stringify(id)} is not the id of a restore`);
  const kept = runDatabase(database, "before", id);
  const mark = (await server.readMarks(signal, [kept])).get(kept);
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

/**
 * The suspect backups of one database, as an operator about to restore one should see them. Each is compared with those
 * of its own origin: the numbers of two installations have no common order.
 */
export function suspectsIn(
  { backups, foreign }: CatalogListing,
  { database, origin, dropPercent }: { database: string; origin: Origin; dropPercent: number },
): ReadonlyMap<ArchiveName, Suspicion> {
  const odd = odditiesIn(foreign, "volume", []).filter((entry) => mayBeOf(entry, database));
  const ofDatabase = backups.filter((backup) => backup.database === database);
  const byOrigin = Map.groupBy(ofDatabase, (each) => (isOwn(origin, each) ? "" : originText(each)));
  return new Map([...byOrigin.values()].flatMap((each) => [...suspicionsIn(each, dropPercent, odd)]));
}
