import { refuseOthers, type DatabaseChoice } from "../../../shared/config/database-choice.ts";
import type { Backup } from "../../../shared/catalog/backup.ts";
import type { LegacyFile } from "../../../shared/catalog/catalog.ts";
import { DormouseError } from "../../../shared/errors.ts";
import { keptDatabases } from "./kept-databases.ts";
import { readWanted } from "../plan/restorable.ts";
import type { RestoreDependencies } from "../restoring.ts";

type Dependencies = Pick<RestoreDependencies, "choice" | "volume" | "server">;

const LOOK_MS = 10_000;

/** The only database, or the one that is named, or the one that a backup's name is of. Throws for `latest` of several. */
export function databaseOf(
  choice: DatabaseChoice,
  { filename, database }: { readonly filename: string; readonly database?: string | undefined },
  known: readonly string[] = choice.named,
): string {
  if (database !== undefined) refuseOthers(choice, database);
  if (choice.only !== undefined) return choice.only;
  if (database !== undefined) return database;
  const wanted = readWanted(filename);
  if ("latest" in wanted) throw unnamed("there is a latest backup of each of several databases", known);
  if (wanted.withServer)
    throw unnamed(
      `the name of ${wanted.name} does not show where the server's ends and the database's begins`,
      known,
    );
  refuseOthers(choice, wanted.database);
  return wanted.database;
}

/** The same for a body, with the databases that have backups on the volume to choose from. */
export async function databaseOfBackup(
  { choice, volume }: Dependencies,
  asked: { readonly filename: string; readonly database?: string | undefined },
): Promise<string> {
  if (choice.only !== undefined || asked.database !== undefined) return databaseOf(choice, asked);
  const wanted = readWanted(asked.filename);
  const isDecidedByName = !("latest" in wanted) && !wanted.withServer;
  const found = isDecidedByName ? [] : await onVolume(volume).catch(() => []);
  const file = found.find(({ name }) => "name" in wanted && wanted.name === name);
  const known = new Set([...choice.named, ...found.map(({ database }) => database).filter(choice.includes)]);
  return databaseOf(choice, { ...asked, database: file?.database }, [...known].toSorted());
}

/** By the server alone, which says whose database a restore has kept: no record has a part in an undo. */
export async function databaseOfRun(
  deps: Dependencies,
  { undo: run, database }: { readonly undo: string; readonly database?: string | undefined },
): Promise<string> {
  const { choice } = deps;
  if (database !== undefined) refuseOthers(choice, database);
  const named = choice.only ?? database;
  if (named !== undefined) return named;
  const marks = await deps.server.readMarks(AbortSignal.timeout(LOOK_MS));
  const kept = keptDatabases(marks, choice, await backedUp(deps).catch(() => []));
  const [found, another] = kept.filter((each) => each.run === run);
  if (found !== undefined && another === undefined) return found.live;
  const known = [...new Set(kept.map(({ live }) => live))];
  if (found !== undefined) throw unnamed(`restore ${run} kept a database of more than one`, known);
  throw new DormouseError(
    "undo_unavailable",
    `there is no database that restore ${JSON.stringify(run)} kept`,
    {
      hint: "GET / lists what can be undone; a restore in place is undone by restoring its safety backup",
    },
  );
}

/** The databases of this installation that the volume has something of. */
export async function backedUp({
  choice,
  volume,
}: Pick<Dependencies, "choice" | "volume">): Promise<readonly string[]> {
  if (choice.only !== undefined) return choice.named;
  return [...new Set((await onVolume(volume)).map(({ database }) => database))].filter(choice.includes);
}

/** Of which the database is known. */
async function onVolume(volume: Dependencies["volume"]): Promise<readonly (Backup | LegacyFile)[]> {
  const listing = await volume.list(AbortSignal.timeout(LOOK_MS));
  return [...listing.backups, ...listing.legacy.filter(({ decision }) => decision?.isDecided !== false)];
}

function unnamed(message: string, known: readonly string[]): DormouseError {
  const names = known.map((name) => JSON.stringify(name)).join(", ");
  return new DormouseError("request_invalid", message, {
    hint: `add "database"${names === "" ? "" : `: ${names}`}`,
  });
}
