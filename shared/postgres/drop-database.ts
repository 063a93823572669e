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
      await client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
    });
  };
}
