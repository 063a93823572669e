import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { DormouseError } from "../../errors.ts";
import { changeMark, readMarks, setMark } from "./database-mark.ts";
import { inTransaction, serverNow } from "../session/ask-server.ts";
import { serverError } from "../session/server-errors.ts";
import { identifier } from "../sql-text.ts";

/** A backend leaves at its next look at interrupts, which a long system call can put off. */
const LEAVE_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 50;
/** No session holds a row of pg_database for long; one that does must not keep the application down. */
const LOCK_WAIT = "10s";

/** The names of a swap. */
export type Swap = {
  readonly live: string;
  /** Becomes live. */
  readonly loaded: string;
  /** What the live one is called from then on; absent when there is no live one. */
  readonly kept?: string | undefined;
  /** Whose swap it is: what becomes live stays under way by it. */
  readonly run: string;
  /** How long the kept one stays, by the server's clock. */
  readonly keepMs: number;
};

/** Autovacuum has no role, and ends by itself when a database is renamed or dropped. */
const OTHERS = `FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() AND pid <> $2
  AND usesysid IS NOT NULL AND coalesce(backend_type, '') <> ALL ($3)`;
const SESSIONS = `SELECT pid, usename AS who, application_name AS program ${OTHERS}`;
/** The kind of a session is hidden from a role that may end it by pg_signal_backend alone. */
const TERMINATE = `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))::int AS ended ${OTHERS}
  AND coalesce(backend_type, 'client backend') IN ('client backend', 'walsender')`;

/** For the sessions that fence, rename and drop: how long each statement waits for sessions that hold the database. */
export async function limitLockWaits(client: pg.Client): Promise<void> {
  await explained("limit of waiting for locks", () => client.query(`SET lock_timeout = '${LOCK_WAIT}'`));
}

/**
 * Closes a database to new sessions, superusers' too (CONNECTION LIMIT 0 would let those in), and ends those that there
 * are; answers how many. Throws `sessions_not_terminated`, naming them, when one does not go.
 */
export async function fence(client: pg.Client, database: string): Promise<number> {
  return explained(`fence around database ${JSON.stringify(database)}`, async () => {
    if (!(await exists(client, database))) return 0;
    await client.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS false`);
    return endSessions(client, database);
  });
}

/** One session, and background workers of these kinds. */
type Spared = { readonly pid?: number | undefined; readonly workers?: readonly string[] };

/**
 * Ends every session of a database, but those that are spared, and waits until they are gone; new ones may come unless it is
 * fenced. Answers how many.
 */
export async function endSessions(
  client: pg.Client,
  database: string,
  { pid = 0, workers = [] }: Spared = {},
): Promise<number> {
  let ended = 0;
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const { rows } = await client.query<{ pid: number; who: string; program: string }>(SESSIONS, [
      database,
      pid,
      workers,
    ]);
    if (rows.length === 0) return ended;
    if (waitedMs >= LEAVE_WITHIN_MS) throw sessionsRemain(database, rows);
    const { rows: counts } = await client.query<{ ended: number }>(TERMINATE, [database, pid, workers]);
    ended = Math.max(ended, counts[0]?.ended ?? 0);
    await pause(LOOK_EVERY_MS);
  }
}

/** Lets sessions in again. That the database is not there is fine. */
export async function reopen(client: pg.Client, database: string): Promise<void> {
  await explained(`opening of database ${JSON.stringify(database)}`, async () => {
    // What is open already needs no lock: another session may hold it, and the application waits.
    if (!(await isClosed(client, database))) return;
    await client.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true`);
  });
}

/** Has the server say that a run works on a database: without that no other process goes on with it. */
export async function claim(client: pg.Client, database: string, run: string): Promise<void> {
  await explained(`mark of database ${JSON.stringify(database)}`, () =>
    changeMark(client, database, (mark) => ({ ...mark, underWay: run })),
  );
}

/** The run is finished or taken back. That a database is not there, or no longer the run's, is fine. */
export async function release(client: pg.Client, databases: readonly string[], run: string): Promise<void> {
  for (const database of databases)
    await explained(`mark of database ${JSON.stringify(database)}`, async () => {
      const found = (await readMarks(client, [database])).get(database);
      if (found?.underWay === run) await setMark(client, database, found.comment, { kept: found.kept });
    });
}

/**
 * Gives both databases their new names in one transaction, in which the one that becomes live is opened and the other
 * stays closed: the name `live` exists at every moment. Both must have been fenced. Names and marks change in one moment:
 * the server never says of a database what another name would make wrong.
 */
export async function swapNames(client: pg.Client, swapped: Swap): Promise<void> {
  const { live, loaded, kept, run } = swapped;
  await explained(`exchange of database ${JSON.stringify(live)}`, async () => {
    await inTransaction(client, async () => {
      if (kept !== undefined) {
        await client.query(`ALTER DATABASE ${identifier(live)} RENAME TO ${identifier(kept)}`);
        const until = new Date((await serverNow(client)).getTime() + swapped.keepMs);
        await changeMark(client, kept, () => ({ kept: { by: run, until } }));
      }
      await client.query(`ALTER DATABASE ${identifier(loaded)} RENAME TO ${identifier(live)}`);
      await changeMark(client, live, () => ({ underWay: run }));
      await client.query(`ALTER DATABASE ${identifier(live)} ALLOW_CONNECTIONS true`);
      // Whatever was loaded without waiting for the disk is on it when this commit is.
      await client.query("SET LOCAL synchronous_commit = on");
    });
  });
}

export async function exists(client: pg.Client, database: string): Promise<boolean> {
  const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1", [database]);
  return rowCount === 1;
}

async function isClosed(client: pg.Client, database: string): Promise<boolean> {
  const sql = "SELECT FROM pg_database WHERE datname = $1 AND NOT datallowconn";
  return (await client.query(sql, [database])).rowCount === 1;
}

export async function explained<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const known = serverError(error, what);
    if (known.code !== "lock_timeout") throw known;
    const hint = "another session holds the database in a transaction: end it, then restore again";
    throw new DormouseError("lock_timeout", known.message, { hint, cause: error });
  }
}

function sessionsRemain(
  database: string,
  rows: readonly { readonly pid: number; readonly who: string; readonly program: string }[],
): DormouseError {
  const names = rows.map(({ pid, who, program }) => `pid ${pid} of ${who} (${program})`).join(", ");
  return new DormouseError(
    "sessions_not_terminated",
    `sessions of ${JSON.stringify(database)} do not end: ${names}`,
    {
      hint: "end them on the server, then restore again",
    },
  );
}
