import pg from "pg";
import { withSession, type ConnectionSettings } from "./connection.ts";

/** Removing the files of a large database takes its time. */
const LONG_MS = 12 * 3_600_000;

/** Ends its sessions first. That it is not there is fine. */
export function databaseDropper(settings: ConnectionSettings) {
  return async (database: string, signal: AbortSignal): Promise<void> => {
    const what = `dropping of database ${JSON.stringify(database)}`;
    const session = { database: settings.maintenanceDatabase, what, queryTimeoutMs: LONG_MS };
    await withSession(settings, session, signal, async (client) => {
      // A template cannot be dropped, and what was exchanged for one is one.
      const sql = "SELECT FROM pg_database WHERE datname = $1 AND datistemplate";
      if ((await client.query(sql, [database])).rowCount === 1)
        await client.query(`ALTER DATABASE ${pg.escapeIdentifier(database)} IS_TEMPLATE false`);
      await client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
    });
  };
}
