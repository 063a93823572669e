import type pg from "pg";
import { STAYING_WORKERS } from "../properties/one-database.ts";
import { endSessions, exists, explained } from "../databases/swap.ts";
import { identifier } from "../sql-text.ts";

/** -1 is no limit. */
export async function connectionLimit(client: pg.Client, database: string): Promise<number> {
  return explained(`reading of the connection limit of ${JSON.stringify(database)}`, async () => {
    const sql = "SELECT datconnlimit AS limit FROM pg_database WHERE datname = $1";
    const { rows } = await client.query<{ limit: number }>(sql, [database]);
    return rows[0]?.limit ?? -1;
  });
}

/** That the database is not there is fine. */
export async function limitConnections(client: pg.Client, database: string, limit: number): Promise<void> {
  await explained(`connection limit of ${JSON.stringify(database)}`, async () => {
    if (!(await exists(client, database))) return;
    await client.query(`ALTER DATABASE ${identifier(database)} CONNECTION LIMIT ${Math.trunc(limit)}`);
  });
}

/**
 * Leaves only the session `pid` in a database, if one is named, and lets only superusers in. A database that must stay open for one session cannot be closed: a limit of one keeps all but superusers out. Where
 * none is spared, the one place would be taken by the first to connect.
 */
export async function isolate(client: pg.Client, database: string, pid: number | undefined): Promise<void> {
  await limitConnections(client, database, pid === undefined ? 0 : 1);
  await explained(`fence around database ${JSON.stringify(database)}`, () =>
    endSessions(client, database, { pid, workers: STAYING_WORKERS }),
  );
}
