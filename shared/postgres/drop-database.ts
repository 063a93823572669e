import pg from "pg";
import { withSession, type ConnectionSettings } from "./connection.ts";
import { explained, limitLockWaits } from "./exchange.ts";

/** Removing the files of a large database takes its time. */
const LONG_MS = 12 * 3_600_000;

/** Ends its sessions first. That it is not there is fine. */
export function databaseDropper(settings: ConnectionSettings) {
  return async (database: string, signal: AbortSignal): Promise<void> => {
    const what = `dropping of database ${JSON.stringify(database)}`;
    const session = { database: settings.maintenanceDatabase, what, queryTimeoutMs: LONG_MS };
    await withSession(settings, session, signal, async (client) => {
      // Nobody waits for hours, with a restore behind it, until somebody ends a transaction.
      await limitLockWaits(client);
      await explained(what, () => drop(client, database));
    });
  };
}

async function drop(client: pg.Client, database: string): Promise<void> {
  const name = pg.escapeIdentifier(database);
  // A template cannot be dropped, and what was exchanged for one is one.
  const sql = "SELECT FROM pg_database WHERE datname = $1 AND datistemplate";
  if ((await client.query(sql, [database])).rowCount === 1)
    await client.query(`ALTER DATABASE ${name} IS_TEMPLATE false`);
  await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}
