import type pg from "pg";
import { DormouseError, asDormouseError, readCode } from "../../errors.ts";
import { withSession, type ConnectionSettings } from "./connection.ts";

/** The column `name` of what a query answers. */
export async function queryNames(
  client: pg.Client,
  sql: string,
  values: readonly unknown[] = [],
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(sql, [...values]);
  return rows.map(({ name }) => name);
}

/** Does `work` in a transaction, of which nothing stays where it fails. */
export async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query("BEGIN");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

export type Session = <Result>(work: (client: pg.Client) => Promise<Result>) => Promise<Result>;

/** Two sessions side by side: while one reads, the other waits. */
const AT_ONCE = 2;

/** Gives one after the other to whichever of some sessions is free, in their order. */
export async function workThrough<Item>(
  session: Session,
  items: readonly Item[],
  work: (client: pg.Client, item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, () =>
      session(async (client) => {
        // They take from the same iterator.
        for (const item of waiting) await work(client, item);
      }),
    ),
  );
}

/** The server's time. As a number: how a date is written, and so what a client reads in it, is a setting of the role. */
export async function serverNow(client: pg.Client): Promise<Date> {
  const sql = "SELECT trunc(extract(epoch FROM now()) * 1000)::bigint AS ms";
  const { rows } = await client.query<{ ms: string }>(sql);
  const [row] = rows;
  if (row === undefined) throw new DormouseError("query_failed", "the server did not return the time");
  return new Date(Number(row.ms));
}

type SystemIdentifier = (signal: AbortSignal) => Promise<string | undefined>;

/**
 * What initdb called the cluster (https://www.postgresql.org/docs/current/functions-info.html, pg_control_system).
 * Everybody may ask, unless that right was taken; `undefined` then.
 */
export function systemIdentifier(settings: ConnectionSettings): SystemIdentifier {
  const session = { database: settings.maintenanceDatabase, what: "question for the system identifier" };
  return async (signal) => {
    try {
      return await withSession(settings, session, signal, async (client) => {
        const sql = "SELECT system_identifier::text AS system FROM pg_control_system()";
        const { rows } = await client.query<{ system: string }>(sql);
        return rows[0]?.system;
      });
    } catch (error) {
      if (isRefused(error)) return undefined;
      throw error;
    }
  };
}

/** No right to the function, or no such function: servers that only speak PostgreSQL's protocol. */
function isRefused(error: unknown): boolean {
  return ["42501", "42883"].includes(readCode(asDormouseError(error).cause));
}

/** A primary that is in use commits something more often than that. */
const BEHIND_MINUTES = 60;

/** Both functions fail on a primary, or say nothing there. */
const REPLAY = `SELECT CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END AS paused,
  floor(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) / 60)::int AS minutes
  WHERE pg_is_in_recovery()`;

/** A standby that follows its primary no more, or late, is dumped as if all were well, night after night. */
export async function standbyWarnings(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ paused: boolean; minutes: number | null }>(REPLAY);
  const [row] = rows;
  if (row === undefined) return [];
  const { paused, minutes } = row;
  if (!paused && (minutes ?? 0) < BEHIND_MINUTES) return [];
  const last = minutes === null ? "unknown" : `${minutes} minutes old`;
  const why = paused
    ? "its replay is paused: SELECT pg_wal_replay_resume() there"
    : "see whether it still follows its primary: SELECT status FROM pg_stat_wal_receiver there";
  return [
    `the server is a standby, and the last change that it has is ${last}, so that a backup has none since; ${why}`,
  ];
}
