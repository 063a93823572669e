import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { unlessAborted } from "../../waiting.ts";
import { DormouseError, readCode, readMessage } from "../../errors.ts";
import { connect, endSession, type ConnectionSettings } from "./connection.ts";
import { limitLockWaits } from "../databases/swap.ts";
import { heldDatabase, type HeldDatabase } from "../databases/held-database.ts";
import { queryNames } from "./ask-server.ts";
import { refusePooler } from "./pooler.ts";
import { SERVER_LOG, serverError } from "./server-errors.ts";

const HEARTBEAT_MS = 5_000;
/** How long a heartbeat may take before the session counts as lost. */
const SILENCE_MS = 15_000;
/** How long the release of the lock may take. */
const UNLOCK_MS = 2_000;

/** How a run waits for a lock that another one has. */
export type Queueing = {
  readonly forMs: number;
  /** Asked before the waiting begins, with the holder's run where that is known: whether to wait for it. */
  readonly join: (holder: string | undefined) => Promise<boolean>;
};

/**
 * What is to be locked, and for which run: others see which run they wait for. A caller without `queue` asks once, and gives
 * way to all that wait.
 */
type LockRequest = {
  readonly database: string;
  readonly run?: string | undefined;
  readonly queue?: Queueing | undefined;
};

export type DatabaseLock = ReturnType<typeof advisoryLock>;

/**
 * A session-level advisory lock on the maintenance database: advisory locks belong to one database, and the one that
 * is backed up may be renamed. The server drops it when the holder's session ends, however the holder died.
 */
export function advisoryLock(settings: ConnectionSettings) {
  return {
    /**
     * Runs `work` while one session holds the advisory lock of a database. Throws `run_superseded` when another process
     * holds it for the same run, `database_busy` when it is another run's, at once or after the waiting, and the
     * connection's own error when the server cannot be reached.
     */
    async hold<Result>(
      locked: LockRequest,
      signal: AbortSignal,
      work: (held: HeldDatabase) => Promise<Result>,
    ): Promise<Result> {
      const { database } = locked;
      const client = await connect(settings, settings.maintenanceDatabase, signal);
      const lost = new AbortController();
      const lose = (why: string) => lost.abort(connectionLost(database, why));
      client.on("error", (error) => lose(error.message));
      client.on("end", () => lose("the session ended"));
      try {
        const pid = await refusePooler(client);
        await take(client, locked, signal);
        await limitLockWaits(client);
        const ended = new AbortController();
        void beat(client, pid, lose, ended.signal);
        try {
          const holding = {
            lost: lost.signal,
            waiting: async () => new Set(await runsAt(client, lockKey(database), "waiting")),
            alone: <Answer>(task: () => Promise<Answer>) => alone(client, signal, task),
          };
          return await work(heldDatabase(client, holding));
        } finally {
          ended.abort();
        }
      } finally {
        await unlock(client);
      }
    },
  };
}

/** Named before it holds: a session that finds the lock held finds the name as well. */
const TAKE = "SELECT set_config('application_name', $2, false), pg_try_advisory_lock($1::bigint) AS taken";
const AT_LOCK = `FROM pg_locks lock JOIN pg_stat_activity USING (pid)
  WHERE locktype = 'advisory' AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = $1::bigint
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
const SESSIONS = `SELECT application_name AS name ${AT_LOCK} AND granted = $2`;
const ROLES = `SELECT usename::text AS name ${AT_LOCK} AND granted`;

async function take(client: pg.Client, locked: LockRequest, signal: AbortSignal): Promise<void> {
  const { database, run } = locked;
  const key = lockKey(database);
  try {
    const name = ["dormouse", ...(run === undefined ? [] : [run])].join(" ");
    const { rows } = await client.query<{ taken: boolean }>(TAKE, [key, name]);
    if (rows[0]?.taken !== true) await waitFor(client, key, locked, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw serverError(error, `lock of database ${JSON.stringify(database)}`);
  }
}

/** Throws what keeps the lock from being ours: at once, or when the time for waiting is over. */
async function waitFor(
  client: pg.Client,
  key: string,
  { database, run, queue }: LockRequest,
  signal: AbortSignal,
): Promise<void> {
  const [holder] = await runsAt(client, key, "holding");
  const isElsewhere = holder !== undefined && holder === run;
  if (queue === undefined || isElsewhere || !(await queue.join(holder))) throw taken(database, run, holder);
  if (await isGranted(client, key, queue, signal)) return;
  throw taken(database, run, (await runsAt(client, key, "holding"))[0]);
}

/** The runs of the sessions that hold the lock, or wait for it, as far as they have names. */
async function runsAt(client: pg.Client, key: string, where: "holding" | "waiting"): Promise<string[]> {
  const { rows } = await client.query<{ name: string | null }>(SESSIONS, [key, where === "holding"]);
  return rows.flatMap(({ name }) => /^dormouse (\S+)$/.exec(name ?? "")?.[1] ?? []);
}

/** The role of the run that works on a database, if one does. */
export function rolesAtWork(client: pg.Client, database: string): Promise<readonly string[]> {
  return queryNames(client, ROLES, [lockKey(database)]);
}

/** From version 14: a session that waits for a lock does not see that its client has gone. */
const NOTICE_END = `SELECT set_config(name, '2s', false) FROM pg_settings
  WHERE name = 'client_connection_check_interval'`;
const LIMIT = "SELECT set_config('lock_timeout', $1, false)";
const WAIT = "SELECT pg_advisory_lock($1::bigint)";
/** The server ends the waiting; its answer comes a little later. */
const ANSWER_MS = 10_000;

/**
 * Waits in the server's own queue, in which no session overtakes: a lock with a waiter is not free to sessions that only
 * try. Answers whether it was granted in time.
 */
async function isGranted(
  client: pg.Client,
  key: string,
  { forMs }: Queueing,
  signal: AbortSignal,
): Promise<boolean> {
  await client.query(NOTICE_END);
  await client.query(LIMIT, [`${forMs}ms`]);
  const waiting = { text: WAIT, values: [key], query_timeout: forMs + ANSWER_MS };
  try {
    await unlessAborted(client.query(waiting), signal);
    return true;
  } catch (error) {
    if (readCode(error) === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const LOCK_NOT_AVAILABLE = "55P03";

function taken(database: string, run: string | undefined, holder: string | undefined): DormouseError {
  const on = `database ${JSON.stringify(database)}`;
  const hint = `wait for it: GET /runs/${holder ?? "<id>"} shows how it stands`;
  if (holder !== undefined && holder === run)
    return new DormouseError("run_superseded", `another process works on ${on} for run ${run}`, { hint });
  return new DormouseError("database_busy", `${holder ?? "another run"} works on ${on}`, { hint });
}

const TRY = "SELECT pg_try_advisory_lock($1::bigint) AS taken";
const UNLOCK = "SELECT pg_advisory_unlock($1::bigint)";
const TRY_EVERY_MS = 200;
const TRY_FOR_MS = 60_000;

/**
 * Under a second lock, that of the empty name, which no database has. It is held for moments, and tried for: a session
 * that waits in the server's queue answers no heartbeat.
 */
async function alone<Answer>(
  client: pg.Client,
  signal: AbortSignal,
  task: () => Promise<Answer>,
): Promise<Answer> {
  const key = lockKey("");
  const endsAt = performance.now() + TRY_FOR_MS;
  while (!(await tryOnce(client, key))) {
    if (performance.now() > endsAt)
      throw new DormouseError("lock_timeout", "another run keeps what all databases share to itself", {
        hint: "look in pg_locks which session has an advisory lock for so long",
      });
    await pause(TRY_EVERY_MS, undefined, { signal });
  }
  try {
    return await task();
  } finally {
    // With the session goes the lock.
    await client.query(UNLOCK, [key]).catch(() => undefined);
  }
}

async function tryOnce(client: pg.Client, key: string): Promise<boolean> {
  try {
    return (await client.query<{ taken: boolean }>(TRY, [key])).rows[0]?.taken === true;
  } catch (error) {
    throw serverError(error, "lock of what all databases share");
  }
}

/**
 * The next to ask must find it free, also before the server has noticed that the session ended. One that no longer
 * answers must not keep us: with the session goes the lock.
 */
async function unlock(client: pg.Client): Promise<void> {
  const unlocked = client.query("SELECT pg_advisory_unlock_all()").catch(() => undefined);
  await Promise.race([unlocked, pause(UNLOCK_MS, undefined, { ref: false })]);
  await endSession(client);
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
    if (!ended.aborted) lose(readMessage(error));
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
      hint: `was the server restarted, or the session ended? ${SERVER_LOG}`,
    },
  );
}
