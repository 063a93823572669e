import type { DatabaseMark } from "../../shared/postgres/databases/database-mark.ts";
import { keptDatabases } from "./databases/kept-databases.ts";
import { suspectsIn } from "./find-wanted.ts";
import type { Suspicion } from "../../shared/retention/suspicion.ts";
import { type Problem, problemFrom } from "../../shared/errors.ts";
import type { RestoreDependencies } from "./restoring.ts";
import { serverSoon, showCatalog, type ShownCatalog } from "../../shared/catalog/show-catalog.ts";

export type RestoreOverview = Omit<ShownCatalog, "backups"> & {
  /** `suspicion` says what it lacks, and against which. */
  readonly backups: readonly (ShownCatalog["backups"][number] & { readonly suspicion?: Suspicion })[];
  /** Restores that can be undone, newest first: the server keeps each at least `until` then, by its own clock. */
  readonly undo: readonly {
    readonly run: string;
    readonly database: string;
    /** What `database` was called until then. */
    readonly live: string;
    readonly until: string;
  }[];
  /** Why the server's databases are unknown. */
  readonly undoProblem?: Problem;
};

/** What can be restored, and what can be taken back. */
export async function showRestores(deps: RestoreDependencies, signal: AbortSignal): Promise<RestoreOverview> {
  const { merged, settings, choice } = deps;
  const { suspectDropPercent: dropPercent } = settings;
  const [{ listing, origins }, marked] = await Promise.all([
    showCatalog(deps, merged, choice.includes, signal),
    marksSoon(deps, signal),
  ]);
  const databases = [...origins.keys()];
  const suspects = new Map(
    databases.flatMap((database) => [
      ...suspectsIn(listing, { database, origin: origins.get(database) ?? {}, dropPercent }),
    ]),
  );
  const backups = listing.backups.map((backup) => {
    const suspicion = suspects.get(backup.name);
    return suspicion === undefined ? backup : { ...backup, suspicion };
  });
  const { marks = new Map<string, DatabaseMark>(), ...undoProblem } = marked;
  const kept = keptDatabases(marks, choice, databases);
  const undo = kept.map((each) => ({ ...each, until: each.until.toISOString() }));
  return { ...listing, backups, undo, ...undoProblem };
}

async function marksSoon(
  { server }: RestoreDependencies,
  signal: AbortSignal,
): Promise<{ readonly marks?: ReadonlyMap<string, DatabaseMark>; readonly undoProblem?: Problem }> {
  try {
    return { marks: await server.readMarks(serverSoon(signal)) };
  } catch (error) {
    signal.throwIfAborted();
    return { undoProblem: problemFrom(error) };
  }
}
