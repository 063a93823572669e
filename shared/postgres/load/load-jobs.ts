import type pg from "pg";

/** With how many connections pg_restore loads, and what decided that. */
export type LoadJobs = { readonly jobs: number; readonly why: string };

/** What the server has room for. */
type LoadRoom = {
  /** The processors of the server are not ours: this is what its administrator gives to one command. */
  readonly maintenanceWorkers: number;
  /** Connections that this role may still make. */
  readonly freeConnections: number;
};

/** What is known of an archive before it is loaded. */
export type LoadSize = {
  readonly tables?: number | undefined;
  readonly plainBytes?: number | undefined;
  /** Whether it has the offsets of each table's rows; unknown where absent. */
  readonly offsets?: boolean | undefined;
};

/** What one connection loads in less time than several are worth. */
const BYTES_OF_A_JOB = 32 << 20;

/** The least of what archive and server allow; where the operator has set a number, only an archive without offsets is stronger. */
export function chooseJobs(asked: number | undefined, room: LoadRoom, size: LoadSize = {}): LoadJobs {
  const { maintenanceWorkers, freeConnections } = room;
  const { tables = Infinity, plainBytes = Infinity, offsets } = size;
  if (offsets === false)
    return { jobs: 1, why: "the archive has no offsets: each of several jobs would walk all of it" };
  if (asked !== undefined) return { jobs: asked, why: "RESTORE_JOBS" };
  const limits: readonly LoadJobs[] = [
    { jobs: maintenanceWorkers, why: `max_parallel_maintenance_workers is ${maintenanceWorkers}` },
    {
      jobs: Math.floor(freeConnections / 2),
      why: `half of the ${freeConnections} connections that are free`,
    },
    { jobs: tables, why: `the backup has tables: ${tables}` },
    { jobs: Math.ceil(plainBytes / BYTES_OF_A_JOB), why: `the rows are ${plainBytes} bytes of text` },
  ];
  const least = limits.reduce((one, other) => (other.jobs < one.jobs ? other : one));
  return { ...least, jobs: Math.max(1, least.jobs) };
}

/**
 * Sessions of other roles are counted by their databases, which everyone may see. What is reserved, from 16 on for certain
 * roles, too, is left to them.
 */
export async function readLoadRoom(client: pg.Client): Promise<LoadRoom> {
  const { rows } = await client.query<LoadRoom>(
    `SELECT current_setting('max_parallel_maintenance_workers')::int AS "maintenanceWorkers",
       greatest(0, least(
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0)
           - (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database),
         CASE WHEN r.rolsuper OR r.rolconnlimit < 0 THEN 'Infinity'::float8 ELSE r.rolconnlimit
           - (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid) END))::int AS "freeConnections"
     FROM pg_roles r WHERE r.rolname = current_user`,
  );
  return rows[0] ?? { maintenanceWorkers: 1, freeConnections: 1 };
}
