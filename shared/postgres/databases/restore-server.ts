import type pg from "pg";
import { DormouseError } from "../../errors.ts";
import { findClientTools, type ToolPlace } from "../client-tools.ts";
import { withSession, type ConnectionSettings } from "../session/connection.ts";
import { analyzeLacking } from "../load/analyze.ts";
import { chooseJobs, readLoadRoom, type LoadJobs, type LoadSize } from "../load/load-jobs.ts";
import { countRows } from "./count-rows.ts";
import {
  createLike,
  findLikeness,
  finishLike,
  giveSettings,
  type Likeness,
} from "../properties/read-properties.ts";
import { changeMark, readMarks, setMark } from "./database-mark.ts";
import { ownDatabaseDropper } from "./drop-database.ts";
import { endSessions, explained, limitLockWaits, reopen } from "./swap.ts";
import type { Libpq } from "../session/libpq.ts";
import { inTransaction } from "../session/ask-server.ts";
import { liveContent } from "./live-content.ts";
import { settingsOfLoad, type NotedSettings } from "../properties/given-settings.ts";
import { restoreTools } from "../restore-tools.ts";
import { dropMadeRoles, giveRoleSettings, keepMadeRoles, makeRoles } from "../roles/make-roles.ts";
import type { PlannedRole } from "../roles/planned-roles.ts";
import type { ServerRole } from "../roles/server-role.ts";
import { targetFacts } from "../properties/read-target-facts.ts";
import { refusedEntry } from "../session/refused-entry.ts";
import { runDatabase, type OwnDatabase } from "./own-database.ts";
import type { Settings } from "../properties/database-properties.ts";
import type { TargetFacts, TargetRequest } from "../properties/target-facts.ts";
import type { TableRows } from "../plain-dump/plain-dump.ts";
import type { LoadOptions } from "../load-tool.ts";
import { identifier } from "../sql-text.ts";

type Work<Result> = (client: pg.Client) => Promise<Result>;
type Session = <Result>(what: string, signal: AbortSignal, work: Work<Result>) => Promise<Result>;
/** `given` are settings of the load, by which sessions in what it made fire nothing there. */
type SessionIn = (database: string, given?: Settings) => Session;

/** ANALYZE, counting, copying the template and dropping take as long as the database is large. */
const LONG_MS = 12 * 3_600_000;

/** The server that holds the live database, as a restore needs it. */
export type RestoreServer = ReturnType<typeof restoreServer>;

export function restoreServer(
  settings: ConnectionSettings,
  libpq: Libpq,
  options: LoadOptions,
  { binDir, searchPath }: ToolPlace,
) {
  const outside = sessions(settings, settings.maintenanceDatabase);
  const sessionIn: SessionIn = (database, given) => sessions({ ...settings, given }, database);
  return {
    /** Throws `client_tools_not_found`. */
    tools: async (serverMajor: number) =>
      restoreTools(await findClientTools(serverMajor, binDir, searchPath), libpq, options),
    /** Ends its sessions first. That it is not there is fine. Throws `database_not_ours` unless the server says that the run works on it. */
    drop: ownDatabaseDropper(settings),
    inspect: inspector(settings, options.jobs),
    /** With how many connections to load such an archive now. */
    chooseJobs: async (size: LoadSize, signal: AbortSignal): Promise<LoadJobs> => {
      return chooseJobs(options.jobs, await outside("room for a load", signal, readLoadRoom), size);
    },
    ...fromOutside(outside),
    ...properties(outside, sessionIn),
    ...asked(outside),
    ...roles(outside, sessionIn),
    ...fromInside(sessionIn),
  };
}

function inspector(settings: ConnectionSettings, jobs: number | undefined) {
  return async (request: TargetRequest, signal: AbortSignal): Promise<TargetFacts> => {
    const what = `inspection of database ${JSON.stringify(request.database)}`;
    const facts = await sessions(settings, settings.maintenanceDatabase)(what, signal, async (client) => {
      const room = await readLoadRoom(client);
      // That of this session is free when the load begins.
      const freeConnections = room.freeConnections + 1;
      const loadSessions = chooseJobs(jobs, room).jobs;
      return { ...(await targetFacts(client, request)), freeConnections, loadSessions };
    });
    const refusedBeside = await refusedEntry(settings, toMake(request), signal);
    if (!facts.exists) return { ...facts, refusedBeside };
    // A role that may not connect learns so from what the plan says of it.
    const content = sessions(settings, request.database)(what, signal, liveContent).catch(() => ({}));
    return { ...facts, refusedBeside, ...(await content) };
  };
}

/** The name of the database that such a restore makes, but for the run. */
function toMake({ database, target }: TargetRequest): string {
  return target === database ? runDatabase(database, "restore", NO_RUN) : target;
}

const NO_RUN = "restore-000000000000";

function sessions(settings: ConnectionSettings, database: string): Session {
  return (what, signal, work) =>
    withSession(settings, { database, what, queryTimeoutMs: LONG_MS }, signal, work);
}

/** What is done from the maintenance database: no session may be in a database that is renamed or dropped. */
function fromOutside(session: Session) {
  const quoted = JSON.stringify;
  return {
    /** The mark of each database that is there, or of each of these. */
    readMarks: (signal: AbortSignal, databases?: readonly string[]) =>
      session("list of databases", signal, (client) => readMarks(client, databases)),
    /** What a load works under: as its dump was written, or as the database has it where that was not noted. */
    settingsOfLoad: (database: string, noted: NotedSettings | undefined, signal: AbortSignal) =>
      session(`settings of database ${quoted(database)}`, signal, (client) =>
        settingsOfLoad(client, database, noted),
      ),
    /** It is under way no more. */
    rename: (database: string, to: string, signal: AbortSignal) =>
      session(`renaming of database ${quoted(database)}`, signal, async (client) => {
        await limitLockWaits(client);
        await endSessions(client, database);
        await explained(`renaming of database ${quoted(database)}`, () => rename(client, database, to));
      }),
  };
}

/** What a new database has in common with another. */
function properties(session: Session, sessionIn: SessionIn) {
  const quoted = JSON.stringify;
  return {
    /**
     * Makes an empty database with owner, encoding, locale, tablespace and settings of another, under way by its run.
     * For a `scratch` one the settings that this role may not give are left out.
     */
    async create({ live, role, run }: OwnDatabase, likeness: Likeness, signal: AbortSignal): Promise<void> {
      const database = runDatabase(live, role, run);
      const what = `creation of database ${quoted(database)}`;
      const found = await session(what, signal, async (client) => {
        const likened = await findLikeness(client, likeness);
        // It is made closed: without its mark it has no owner, and holds nothing.
        await createLike(client, database, likened);
        await setMark(client, database, null, { underWay: run });
        await reopen(client, database);
        return likened;
      });
      const isScratch = role === "scratch";
      if (found === undefined) return;
      await sessionIn(database)(what, signal, (client) => giveSettings(client, database, found, isScratch));
    },
    /** Grants, settings, connection limit, comment, security labels, and whether it is a template. */
    async copyProperties(
      likeness: Likeness,
      to: string,
      given: Settings,
      signal: AbortSignal,
    ): Promise<void> {
      const what = `copying of grants and settings to database ${quoted(to)}`;
      const found = await session(what, signal, (client) => findLikeness(client, likeness));
      if (found === undefined) return;
      await sessionIn(to, given)(what, signal, async (client) => {
        // Some may have been given while it was loaded.
        await giveSettings(client, to, found, false);
        await finishLike(client, to, found);
      });
    },
  };
}

/** What a restore makes of roles, each marked as its own until it has ended. */
function roles(session: Session, sessionIn: SessionIn) {
  return {
    makeRoles: (planned: readonly PlannedRole[], run: string, signal: AbortSignal) =>
      session("creation of roles", signal, (client) => makeRoles(client, planned, run)),
    giveRoleSettings: (database: string, noted: readonly ServerRole[], run: string, signal: AbortSignal) =>
      sessionIn(database)("settings of roles", signal, (client) => giveRoleSettings(client, noted, run)),
    dropMadeRoles: (run: string, signal: AbortSignal) =>
      session("dropping of roles", signal, (client) => dropMadeRoles(client, run)),
    keepMadeRoles: (run: string, signal: AbortSignal) =>
      session("roles of a restore", signal, (client) => keepMadeRoles(client, run)),
  };
}

async function rename(client: pg.Client, database: string, to: string): Promise<void> {
  const [from, name] = [database, to].map(identifier);
  await inTransaction(client, async () => {
    await client.query(`ALTER DATABASE ${from} RENAME TO ${name}`);
    await changeMark(client, to, () => ({}));
  });
}

/** Queries that change nothing. */
function asked(session: Session) {
  return {
    /** Whether a transaction was committed; one that has not ended is an error. */
    hasCommitted: (transaction: string, signal: AbortSignal) =>
      session(`state of transaction ${transaction}`, signal, async (client) => {
        const sql = "SELECT txid_status($1::bigint) AS state";
        const { rows } = await client.query<{ state: string | null }>(sql, [transaction]);
        const state = rows[0]?.state ?? "unknown";
        if (state === "in progress")
          throw new DormouseError("sessions_not_terminated", `transaction ${transaction} has not ended yet`, {
            hint: "it ends with its session: wait, or end that on the server",
          });
        return state === "committed";
      }),
    /** Of all databases that this role may connect to. */
    usedBytes: (signal: AbortSignal) =>
      session("sizes of the databases", signal, async (client) => {
        const sql = `SELECT sum(pg_database_size(datname)) AS bytes FROM pg_database
          WHERE has_database_privilege(datname, 'CONNECT')`;
        const { rows } = await client.query<{ bytes: string }>(sql);
        return Number(rows[0]?.bytes ?? 0);
      }),
    sizeBytes: (database: string, signal: AbortSignal) =>
      session("size of a database", signal, async (client) => {
        const sql = "SELECT pg_database_size(datname) AS bytes FROM pg_database WHERE datname = $1";
        const { rows } = await client.query<{ bytes: string }>(sql, [database]);
        return Number(rows[0]?.bytes ?? 0);
      }),
  };
}

function fromInside(sessionIn: SessionIn) {
  return {
    analyze: (database: string, signal: AbortSignal, given?: Settings) =>
      analyzeLacking((work) => sessionIn(database, given)("ANALYZE", signal, work)),
    /** The rows of each of these tables as the database has them now; a table that is not there is left out. */
    countRows: (
      database: string,
      tables: readonly Omit<TableRows, "rows">[],
      signal: AbortSignal,
      given?: Settings,
    ) => countRows((work) => sessionIn(database, given)("count of rows", signal, work), tables),
  };
}
