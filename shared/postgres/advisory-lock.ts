import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import type { DatabaseLock, Locked } from "../backup/database-lock.ts";
import { DormouseError } from "../errors.ts";
import { connect, type ConnectionSettings } from "./connection.ts";
import { connectionLimit, isolate, limitConnections } from "./connection-limit.ts";
import { refusePooler } from "./pooler.ts";
import { exchange, fence, limitLockWaits, reopen } from "./exchange.ts";
import { serverError } from "./server-errors.ts";

const HEARTBEAT_MS = 5_000;
/** How long a heartbeat may take before the session counts as lost. */
const SILENCE_MS = 15_000;
const FAREWELL_MS = 2_000;

/**
 * A session-level advisory lock on the maintenance database: advisory locks belong to one database, and the one that
 * is backed up may be renamed. The server drops it when the holder's session ends, however the holder died.
 */
export function advisoryLock(settings: ConnectionSettings): DatabaseLock {
  return {
    async hold(locked, signal, work) {
      const { database } = locked;
      const client = await connect(settings, settings.maintenanceDatabase, signal);
      const lost = new AbortController();
      const lose = (why: string) => lost.abort(connectionLost(database, why));
      client.on("error", (error) => lose(error.message));
      client.on("end", () => lose("the session ended"));
      try {
        const pid = await refusePooler(client);
        await take(client, locked);
        await limitLockWaits(client);
        const ended = new AbortController();
        void beat(client, pid, lose, ended.signal);
        try {
          return await work({
            lost: lost.signal,
            fence: (name) => fence(client, name),
            reopen: (name) => reopen(client, name),
            exchange: (names) => exchange(client, names),
            connectionLimit: (name) => connectionLimit(client, name),
            limitConnections: (name, limit) => limitConnections(client, name, limit),
            isolate: (name, pid) => isolate(client, name, pid),
          });
        } finally {
          ended.abort();
        }
      } finally {
        await letGo(client);
      }
    },
  };
}

/** Named before it holds: who finds the lock held finds the name as well. */
const TAKE = "SELECT set_config('application_name', $2, false), pg_try_advisory_lock($1::bigint) AS taken";
const HOLDER = `SELECT application_name AS name FROM pg_locks lock JOIN pg_stat_activity USING (pid)
  WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND (classid::bigint << 32) | objid::bigint = $1::bigint
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

async function take(client: pg.Client, { database, run }: Locked): Promise<void> {
  const key = lockKey(database);
  try {
    const name = ["dormouse", ...(run === undefined ? [] : [run])].join(" ");
    const { rows } = await client.query<{ taken: boolean }>(TAKE, [key, name]);
    if (rows[0]?.taken === true) return;
    const { rows: holders } = await client.query<{ name: string | null }>(HOLDER, [key]);
    throw taken(database, run, /^dormouse (\S+)$/.exec(holders[0]?.name ?? "")?.[1]);
  } catch (error) {
    throw serverError(error, `lock of database ${JSON.stringify(database)}`);
  }
}

function taken(database: string, run: string | undefined, holder: string | undefined): DormouseError {
  const on = `database ${JSON.stringify(database)}`;
  const hint = `wait for it: GET /runs/${holder ?? "<id>"} tells how it stands`;
  if (holder !== undefined && holder === run)
    return new DormouseError("run_elsewhere", `another process works on ${on} for run ${run}`, { hint });
  return new DormouseError("database_busy", `${holder ?? "another run"} works on ${on}`, { hint });
}

/**
 * Whoever asks next must find it free, also before the server has noticed that the session ended. One that no longer
 * answers must not keep us: with the session goes the lock.
 */
async function letGo(client: pg.Client): Promise<void> {
  const patience = pause(FAREWELL_MS, undefined, { ref: false });
  const unlocked = client.query("SELECT pg_advisory_unlock_all()").catch(() => undefined);
  await Promise.race([unlocked, patience]);
  await Promise.race([client.end(), patience]);
}

async function beat(
  client: pg.Client,
  pid: number,
  lose: (why: string) => void,
  ended: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      await pause(HEARTBEAT_MS, undefined, { signal: ended, ref: false });
      const silence = pause(SILENCE_MS, "silent", { signal: ended, ref: false });
      const answer = await Promise.race([refusePooler(client), silence]);
      if (answer === "silent") return lose("the server fell silent");
      // The lock belongs to the process that took it.
      if (answer !== pid) return lose("another process of the server answers: is there a pooler?");
    }
  } catch (error) {
    if (!ended.aborted) lose(error instanceof Error ? error.message : String(error));
  }
}

/** 64 bits of the name's hash, signed as bigint is. */
export function lockKey(database: string): string {
  return createHash("sha256").update(`dormouse:${database}`).digest().readBigInt64BE(0).toString();
}

function connectionLost(database: string, why: string): DormouseError {
  return new DormouseError(
    "connection_lost",
    `the lock of database ${JSON.stringify(database)} was lost: ${why}`,
    {
      hint: "look at the server's log: was it restarted, or the session ended?",
    },
  );
}
