import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Settings } from "../properties/database-properties.ts";
import { OF_EVERY_SESSION, pgOptions } from "../properties/session-settings.ts";
import { unlessAborted } from "../../waiting.ts";
import type { SslMode } from "../../config/database-config.ts";
import { DormouseError, readCode, readMessage } from "../../errors.ts";
import { serverError } from "./server-errors.ts";

/** What each of our sessions is called, but one that holds a lock or loads for a rehearsal. */
export const PROGRAM = "dormouse";

/** The words are libpq's (https://www.postgresql.org/docs/current/libpq-connect.html). */
export type ConnectionSettings = {
  /** A name, an address, or a folder that holds the socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly sslMode: SslMode;
  readonly sslRootCert?: string | undefined;
  readonly sslCert?: string | undefined;
  readonly sslKey?: string | undefined;
  /** Where locks are taken and databases renamed: one that every run of Dormouse can reach. */
  readonly maintenanceDatabase: string;
  readonly connectTimeoutMs: number;
  /** What these sessions have besides; a role that may not set it is not let in. */
  readonly given?: Settings | undefined;
};

/**
 * Whatever the role or the database is set to. A time limit for an application would end ANALYZE of a large database, and
 * rows that row security hides must fail a count rather than lessen it.
 */
const OF_OURS = { ...OF_EVERY_SESSION, row_security: "off" };
const { transaction_timeout, ...SINCE_14 } = OF_OURS;
const { idle_session_timeout: _, client_connection_check_interval: __, ...SINCE_13 } = SINCE_14;
/** A server refuses a connection that asks at its start for what it does not know. */
const AT_THE_DOOR = [SINCE_14, SINCE_13] as const;
const UNKNOWN_PARAMETER = "42704";
/**
 * The first that a session says, as pg_dump does: what others have made in a schema of its path must not stand for what is the
 * server's. Not at its start: RESET gives back the path that role or database have.
 */
const OWN_PATH = "SELECT pg_catalog.set_config('search_path', '', false)";
/**
 * A time limit from 17 on. And what a database in SQL_ASCII holds may be no text of the encoding of our sessions: a single such name would
 * fail each query that shows it.
 */
const INSIDE = `${OWN_PATH}; SELECT set_config(name, '${transaction_timeout}', false) FROM pg_settings
  WHERE name = 'transaction_timeout';
  SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE getdatabaseencoding() = 'SQL_ASCII'`;

/** Statements that may run longer say so; a server that falls silent must not hold a run for ever. */
const QUERY_TIMEOUT_MS = 60_000;

/** What the server said as it ended a session between two queries: the next one fails with words that give no reason. */
const endedBy = new WeakMap<pg.Client, Error>();

/** A connected session. Its owner ends it. Throws what `serverError` makes of the cause. */
export async function connect(
  settings: ConnectionSettings,
  database: string,
  signal: AbortSignal,
  queryTimeoutMs = QUERY_TIMEOUT_MS,
): Promise<pg.Client> {
  signal.throwIfAborted();
  const tls = await tlsOptions(settings);
  const target = { database, queryTimeoutMs };
  try {
    if (settings.sslMode === "prefer" || settings.sslMode === "allow")
      return await tryBoth(settings, target, tls);
    return await open(settings, target, tls);
  } catch (error) {
    throw serverError(error, `connection to ${where(settings)} database ${JSON.stringify(database)}`);
  }
}

/** The path that role and database give, by which client tools read a name without a schema. */
export async function givenPath(client: pg.Client): Promise<readonly string[]> {
  await client.query("RESET search_path");
  const sql = "SELECT pg_catalog.current_schemas(true)::pg_catalog.text[] AS path";
  const { rows } = await client.query<{ path: string[] }>(sql);
  await client.query(OWN_PATH);
  return rows[0]?.path ?? [];
}

/**
 * Does `work` in a session that ends with it, or at once when `signal` aborts. Errors of the server are thrown as ours,
 * with `what` failed.
 */
export async function withSession<Result>(
  settings: ConnectionSettings,
  { database, what, queryTimeoutMs }: { database: string; what: string; queryTimeoutMs?: number },
  signal: AbortSignal,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await connect(settings, database, signal, queryTimeoutMs);
  try {
    return await unlessAborted(work(client), signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const says = error instanceof DormouseError || error instanceof pg.DatabaseError;
    throw serverError(says ? error : (endedBy.get(client) ?? error), what);
  } finally {
    await endSession(client);
  }
}

const FAREWELL_MS = 2_000;

/**
 * With a query under way this closes the socket, and the server ends the query when it next looks. A server that does not
 * answer any more is not waited for.
 */
export async function endSession(client: pg.Client): Promise<void> {
  await Promise.race([client.end(), pause(FAREWELL_MS, undefined, { ref: false })]).catch(() => undefined);
}

export function where({ host, port }: ConnectionSettings): string {
  return `${host}:${port}`;
}

type Target = { readonly database: string; readonly queryTimeoutMs: number };

/** libpq's `prefer`, its default, and `allow`: what the server takes, the one or the other first. Neither proves anything. */
async function tryBoth(settings: ConnectionSettings, target: Target, tls: Tls): Promise<pg.Client> {
  let refusal: unknown;
  for (const kind of settings.sslMode === "prefer" ? [tls, false as const] : [false as const, tls])
    try {
      return await open(settings, target, kind);
    } catch (error) {
      const hasNoTls = readMessage(error).includes("does not support SSL");
      // Lines of pg_hba.conf may be for the other kind alone. Where it takes neither, that of TLS says more.
      if (!hasNoTls && !readMessage(error).includes("pg_hba.conf")) throw error;
      if (!hasNoTls && (refusal === undefined || kind !== false)) refusal = error;
    }
  throw refusal;
}

async function open(settings: ConnectionSettings, target: Target, tls: Tls): Promise<pg.Client> {
  const [options, older] = AT_THE_DOOR.map((each) => pgOptions({ ...each, ...settings.given }));
  try {
    return await enter(settings, { ...target, options }, tls);
  } catch (error) {
    if (readCode(error) !== UNKNOWN_PARAMETER) throw error;
    return enter(settings, { ...target, options: older }, tls);
  }
}

async function enter(
  settings: ConnectionSettings,
  { database, queryTimeoutMs, options }: Target & { readonly options: string | undefined },
  tls: Tls,
): Promise<pg.Client> {
  const { host, port, user, password, connectTimeoutMs } = settings;
  const client = new pg.Client({
    host,
    port,
    user,
    password,
    database,
    ssl: tls,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    application_name: PROGRAM,
    ...(options === undefined ? {} : { options }),
  });
  // Without a listener an idle session that breaks would end the process; its next query fails for the caller.
  client.on("error", (error) => endedBy.has(client) || endedBy.set(client, error));
  try {
    await client.connect();
    await client.query(INSIDE);
  } catch (error) {
    void client.end();
    throw error;
  }
  return client;
}

type Tls = false | { readonly rejectUnauthorized: boolean; readonly checkServerIdentity?: () => undefined };

async function tlsOptions(settings: ConnectionSettings): Promise<Tls> {
  const { sslMode, sslRootCert, sslCert, sslKey } = settings;
  if (sslMode === "disable" || settings.host.startsWith("/")) return false;
  const isVerified = sslMode === "verify-ca" || sslMode === "verify-full";
  const files = {
    // `system` is libpq's word for the trust store of the machine, which is what Node uses by itself.
    ...(sslRootCert === undefined || sslRootCert === "system" ? {} : { ca: await readPem(sslRootCert) }),
    ...(sslCert === undefined ? {} : { cert: await readPem(sslCert) }),
    ...(sslKey === undefined ? {} : { key: await readPem(sslKey) }),
  };
  const anyName = sslMode === "verify-ca" ? { checkServerIdentity: () => undefined } : {};
  return { rejectUnauthorized: isVerified, ...files, ...anyName };
}

export async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new DormouseError("configuration_invalid", `certificate file ${path} cannot be read`, {
      hint: "check PGSSLROOTCERT, PGSSLCERT and PGSSLKEY and the mounts behind them",
      cause: error,
    });
  }
}
