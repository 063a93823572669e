import type { DatabaseChoice } from "../../../shared/config/database-choice.ts";
import type { DatabaseMark } from "../../../shared/postgres/databases/database-mark.ts";
import { runDatabase } from "../../../shared/postgres/databases/own-database.ts";

/** A database that a restore of `live` took out of use, and until when the server keeps it at least. */
type Kept = {
  readonly run: string;
  readonly database: string;
  readonly live: string;
  readonly until: Date;
};

/**
 * What the server says that restores of these databases kept, newest first. `known` are databases that may be gone from
 * it.
 */
export function keptDatabases(
  marks: ReadonlyMap<string, DatabaseMark>,
  choice: DatabaseChoice,
  known: Iterable<string>,
): readonly Kept[] {
  const databases = [...new Set([...choice.named, ...marks.keys(), ...known])].filter(choice.includes);
  const kept = [...marks].flatMap(([database, { kept: mark, underWay }]) => {
    if (mark === undefined || underWay !== undefined) return [];
    const { by: run, until } = mark;
    const isOf = (live: string) => live !== database && runDatabase(live, "before", run) === database;
    return databases.filter(isOf).map((live) => ({ run, database, live, until }));
  });
  return kept.toSorted((a, b) => b.until.getTime() - a.until.getTime());
}
