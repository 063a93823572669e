import type pg from "pg";
import {
  type Expired,
  type ExpiredDatabases,
  type OwnDatabase,
  type RestoresDatabases,
  runDatabase,
  type NameRole,
} from "./own-database.ts";
import { asDormouseError, DormouseError } from "../../errors.ts";
import { withSession, type ConnectionSettings } from "../session/connection.ts";
import { readMarks, readNamed, type MarkedDatabase } from "./database-mark.ts";
import { explained, limitLockWaits } from "./swap.ts";
import { serverNow } from "../session/ask-server.ts";
import { identifier } from "../sql-text.ts";

/** Removing the files of a large database takes its time. */
const LONG_MS = 12 * 3_600_000;

/** Drops what a restore has loaded, and nothing that the server does not call that restore's. */
export function ownDatabaseDropper(settings: ConnectionSettings) {
  return async ({ live, role, run }: OwnDatabase, signal: AbortSignal): Promise<void> => {
    const database = runDatabase(live, role, run);
    await session(settings, `dropping of database ${JSON.stringify(database)}`, signal, async (client) => {
      const found = (await readMarks(client, [database])).get(database);
      if (found === undefined) return;
      if (!belongsTo(found, run)) throw notOurs(database, run);
      await drop(client, database);
    });
  };
}

/** It is made closed, and opened with its mark: one that is closed and has none was never in use. */
function belongsTo({ underWay, kept, isOpen }: MarkedDatabase, run: string): boolean {
  return underWay === run || (underWay === undefined && kept === undefined && !isOpen);
}

function notOurs(database: string, run: string): DormouseError {
  const name = JSON.stringify(database);
  return new DormouseError(
    "database_not_ours",
    `database ${name} is not dropped: its comment does not say that ${run} made it`,
    {
      hint: `look at what it holds; if it is not needed, DROP DATABASE ${identifier(database)}`,
    },
  );
}

/** By the mark and the clock of the server alone: no record and no clock of a pod has a part in it. */
export function expiredDatabases(settings: ConnectionSettings): Expired {
  const asked = <Result>(live: string, signal: AbortSignal, work: (client: pg.Client) => Promise<Result>) =>
    session(settings, `look at what restores of ${JSON.stringify(live)} kept`, signal, work);
  return {
    find: (live, signal) => asked(live, signal, (client) => findDatabases(client, live)),
    drop: (live, signal) =>
      asked(live, signal, async (client) => {
        const [dropped, failed]: [string[], ExpiredDatabases["failed"][number][]] = [[], []];
        const { over, unmarked } = await findDatabases(client, live);
        for (const database of over) {
          try {
            await drop(client, database);
            dropped.push(database);
          } catch (error) {
            failed.push({ database, problem: asDormouseError(error) });
          }
        }
        return { dropped, failed, unmarked };
      }),
  };
}

async function findDatabases(client: pg.Client, live: string): Promise<RestoresDatabases> {
  const now = await serverNow(client);
  const before = await namedLike(client, live, "before");
  const kept = before.flatMap(({ name, kept: by, underWay }) =>
    by === undefined || underWay !== undefined ? [] : [{ database: name, run: by.by, until: by.until }],
  );
  const isUnmarked = (found: MarkedDatabase) => found.kept === undefined && found.underWay === undefined;
  const loaded = [
    ...(await namedLike(client, live, "restore")),
    ...(await namedLike(client, live, "scratch")),
  ];
  return {
    kept: kept.toSorted((a, b) => b.until.getTime() - a.until.getTime()),
    over: kept.filter(({ until }) => until <= now).map(({ database }) => database),
    unmarked: before.filter(isUnmarked).map(({ name }) => name),
    loaded: loaded.map(({ name, run }) => ({ database: name, run })),
  };
}

/** All that bear the name of a run's database of `live`; the mark of each names the same run as its name. */
async function namedLike(client: pg.Client, live: string, role: NameRole) {
  const named = await readNamed(client, `__${role}_[0-9a-f]{12}$`);
  return named
    .map((found) => {
      const run = `restore-${found.name.slice(found.name.lastIndexOf("_") + 1)}`;
      return { ...found, run: (role === "before" ? found.kept?.by : found.underWay) ?? run };
    })
    .filter(({ name, run }) => name !== live && name === runDatabase(live, role, run));
}

function session<Result>(
  settings: ConnectionSettings,
  what: string,
  signal: AbortSignal,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const given = { database: settings.maintenanceDatabase, what, queryTimeoutMs: LONG_MS };
  return withSession(settings, given, signal, async (client) => {
    // No run waits for hours, with a restore behind it, until a transaction ends.
    await limitLockWaits(client);
    return work(client);
  });
}

/** Ends its sessions first. */
async function drop(client: pg.Client, database: string): Promise<void> {
  const name = identifier(database);
  await explained(`dropping of database ${JSON.stringify(database)}`, async () => {
    // A template cannot be dropped, and what was swapped for one is one.
    const sql = "SELECT FROM pg_database WHERE datname = $1 AND datistemplate";
    if ((await client.query(sql, [database])).rowCount === 1)
      await client.query(`ALTER DATABASE ${name} IS_TEMPLATE false`);
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });
}
