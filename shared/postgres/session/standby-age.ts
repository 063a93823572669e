import type pg from "pg";

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
