import type { BackupDependencies } from "../../shared/backup/taking-backup.ts";
import { namesOfDatabases } from "../../shared/postgres/databases/list-databases.ts";
import { coalesced, never } from "../../shared/waiting.ts";

/**
 * Whether a name is that of a database: the server has it, or there are backups of it and its own run says that it is gone.
 * A pattern includes whatever a sender of events makes up, and each name has its own records. In doubt it is one. Events need
 * no token: however many come at once, one session asks the server for all of them.
 */
export function knownDatabase({ connection, catalog }: Pick<BackupDependencies, "connection" | "catalog">) {
  const existing = coalesced((signal) => namesOfDatabases(connection, signal));
  return async (database: string): Promise<boolean> => {
    const names = await existing(never).catch(() => undefined);
    if (names === undefined || names.has(database)) return true;
    const { backups } = await catalog.list(never);
    return backups.some((backup) => backup.database === database);
  };
}
