import pg from "pg";
import type { RestoreServer } from "./restore-port.ts";
import { DormouseError } from "../../errors.ts";
import { findClientTools } from "../client-tools.ts";
import { withSession, type ConnectionSettings } from "../session/connection.ts";
import { countRows } from "./count-rows.ts";
import { copyProperties, createLike } from "../properties/read-properties.ts";
import { changeMark, lookAtMarks, setMark } from "./database-mark.ts";
import { ownDatabaseDropper } from "./drop-database.ts";
import { endSessions, explained, limitLockWaits, reopen } from "./swap.ts";
import type { Libpq } from "../session/libpq.ts";
import { liveContent } from "./live-content.ts";
import { settingsOfLoad } from "../properties/read-settings.ts";
import { restoreTools } from "../restore-tools.ts";
import { targetFacts } from "../properties/read-target-facts.ts";
import { runDatabase } from "./own-database.ts";
import type { LoadOptions } from "../load-tool.ts";

type Place = { readonly binDir?: string | undefined; readonly searchPath: string };
type Work<Result> = (client: pg.Client) => Promise<Result>;
type Session = <Result>(what: string, signal: AbortSignal, work: Work<Result>) => Promise<Result>;

/** ANALYZE, counting, copying the template and dropping take as long as the database is large. */
const LONG_MS = 12 * 3_600_000;

export function restoreServer(
  settings: ConnectionSettings,
  libpq: Libpq,
  options: LoadOptions,
  place: Place,
): RestoreServer {
  return {
    tools: async (serverMajor) =>
      restoreTools(await findClientTools(serverMajor, place.binDir, place.searchPath), libpq, options),
    drop: ownDatabaseDropper(settings),
    inspect: inspector(settings, options.jobs),
    ...fromOutside(sessions(settings, settings.maintenanceDatabase)),
    ...asked(sessions(settings, settings.maintenanceDatabase)),
    ...fromInside((database) => sessions(settings, database)),
  };
}

function inspector(settings: ConnectionSettings, loadSessions: number): RestoreServer["inspect"] {
  return async (request, signal) => {
    const what = `inspection of database ${JSON.stringify(request.database)}`;
    const asked = await sessions(settings, settings.maintenanceDatabase)(what, signal, (client) =>
      targetFacts(client, request),
    );
    const facts = { ...asked, loadSessions };
    if (!facts.exists) return facts;
    // A role that may not connect learns so from what the plan says of it.
    const content = sessions(settings, request.database)(what, signal, liveContent).catch(() => ({}));
    return { ...facts, ...(await content) };
  };
}

function sessions(settings: ConnectionSettings, database: string): Session {
  return (what, signal, work) =>
    withSession(settings, { database, what, queryTimeoutMs: LONG_MS }, signal, work);
}

/** What is done from the maintenance database: no session may be in a database that is renamed or dropped. */
function fromOutside(
  session: Session,
): Omit<RestoreServer, "tools" | "drop" | "inspect" | Asked | "analyze" | "countRows"> {
  const quoted = JSON.stringify;
  return {
    look: (databases, signal) =>
      session("list of databases", signal, (client) => lookAtMarks(client, databases)),
    lookAtAll: (signal) => session("list of databases", signal, (client) => lookAtMarks(client)),
    create: ({ live, role, run }, likeness, signal) => {
      const database = runDatabase(live, role, run);
      return session(`creation of database ${quoted(database)}`, signal, async (client) => {
        // It is made closed: without its mark it has no owner, and holds nothing.
        await createLike(client, database, { ...likeness, isScratch: role === "scratch" });
        await setMark(client, database, null, { underWay: run });
        await reopen(client, database);
      });
    },
    settingsOfLoad: (database, noted, signal) =>
      session(`settings of database ${quoted(database)}`, signal, (client) =>
        settingsOfLoad(client, database, noted),
      ),
    copyProperties: (likeness, to, signal) =>
      session(`copying of grants and settings to database ${quoted(to)}`, signal, (client) =>
        copyProperties(client, likeness, to),
      ),
    rename: (database, to, signal) =>
      session(`renaming of database ${quoted(database)}`, signal, async (client) => {
        await limitLockWaits(client);
        await endSessions(client, database);
        await explained(`renaming of database ${quoted(database)}`, () => rename(client, database, to));
      }),
  };
}

async function rename(client: pg.Client, database: string, to: string): Promise<void> {
  const [from, name] = [database, to].map(pg.escapeIdentifier);
  await client.query("BEGIN");
  try {
    await client.query(`ALTER DATABASE ${from} RENAME TO ${name}`);
    await changeMark(client, to, () => ({}));
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

type Asked = "sizeBytes" | "hasCommitted";

/** What the server only tells. */
function asked(session: Session): Pick<RestoreServer, Asked> {
  return {
    hasCommitted: (transaction, signal) =>
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
    sizeBytes: (database, signal) =>
      session("size of a database", signal, async (client) => {
        const sql = "SELECT pg_database_size(datname) AS bytes FROM pg_database WHERE datname = $1";
        const { rows } = await client.query<{ bytes: string }>(sql, [database]);
        return Number(rows[0]?.bytes ?? 0);
      }),
  };
}

function fromInside(sessionIn: (database: string) => Session): Pick<RestoreServer, "analyze" | "countRows"> {
  return {
    analyze: (database, signal) =>
      sessionIn(database)("ANALYZE", signal, async (client) => void (await client.query("ANALYZE"))),
    countRows: (database, tables, signal) =>
      countRows((work) => sessionIn(database)("count of rows", signal, work), tables),
  };
}
