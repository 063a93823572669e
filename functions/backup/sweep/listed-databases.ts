import type { BackupDependencies } from "../../../shared/backup/taking-backup.ts";
import { isOwn, ownOrigins } from "../../../shared/catalog/origin.ts";
import type { DatabaseChoice } from "../../../shared/config/database-choice.ts";
import { listDatabases, type ListedDatabases } from "../../../shared/postgres/databases/list-databases.ts";
import { isAhead } from "../../../shared/retention/keep-rules.ts";
import { isTransient, retrying } from "../../../shared/retry.ts";
import type { Run, RunContext } from "../../../shared/run/run.ts";

type Dependencies = BackupDependencies & {
  readonly choice: DatabaseChoice;
  /** How long a server that is away is asked which databases it has. */
  readonly retryForMs: number;
};

/** Of each database that has backups of one's own, when the last good one before this sweep began. */
export type Known = ReadonlyMap<string, Date>;

export async function knownDatabases(
  { catalog, installation, choice }: Dependencies,
  { acceptedAt }: Run,
  signal: AbortSignal,
): Promise<Known> {
  const { backups } = await catalog.list(signal);
  const origins = ownOrigins(installation.namespace, backups);
  const now = new Date();
  const newest = new Map<string, Date>();
  for (const backup of backups) {
    const { database, startedAt } = backup;
    const counts =
      choice.includes(database) && isOwn(origins.get(database), backup) && !isAhead(backup, { now });
    // A process that takes the sweep up finds what that has taken already.
    if (!counts || startedAt >= acceptedAt) continue;
    if (startedAt > (newest.get(database) ?? new Date(0))) newest.set(database, startedAt);
  }
  return newest;
}

/** What has no backup comes first, and what has the youngest last. */
export function oldestFirst(databases: readonly string[], known: Known): readonly string[] {
  const startedMs = (database: string) => known.get(database)?.getTime() ?? 0;
  return databases.toSorted((a, b) => startedMs(a) - startedMs(b));
}

export function listNow({ connection, choice }: Dependencies, known: Known, signal: AbortSignal) {
  return listDatabases(connection, choice, new Set(known.keys()), signal);
}

/** Without a list there are no runs, of which each would say by itself that the server is away. */
export function listAtFirst(
  deps: Dependencies,
  known: Known,
  { signal, step }: RunContext,
): Promise<ListedDatabases> {
  return retrying(
    signal,
    () => listNow(deps, known, signal),
    async ({ code, attempt, elapsedMs, waitMs }) => {
      if (!isTransient(code) || elapsedMs + waitMs > deps.retryForMs) return false;
      await step("retrying", { attempt, code, waitMs });
      return true;
    },
  );
}
