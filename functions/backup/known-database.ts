import type { BackupDependencies } from "../../shared/backup/taking-backup.ts";
import { hasDatabase } from "../../shared/postgres/databases/list-databases.ts";

const never = new AbortController().signal;

/**
 * Whether a name is that of a database: the server has it, or there are backups of it and its own run says that it is gone.
 * A pattern includes whatever a sender of events makes up, and each name has its own records. In doubt it is one.
 */
export function knownDatabase({ connection, catalog }: Pick<BackupDependencies, "connection" | "catalog">) {
  return async (database: string): Promise<boolean> => {
    if (await hasDatabase(connection, database, never).catch(() => true)) return true;
    const { backups } = await catalog.list(never);
    return backups.some((backup) => backup.database === database);
  };
}
