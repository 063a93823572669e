import { readFile } from "node:fs/promises";
import pg from "pg";
import { DormouseError } from "../errors.ts";
import { serverError } from "./server-errors.ts";

export const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof SSL_MODES)[number];

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
};

/** No statement of ours but a restore's runs longer; a server that falls silent must not hold a run for ever. */
const QUERY_TIMEOUT_MS = 60_000;

/** A connected session. Its owner ends it. Throws what `serverError` makes of the cause. */
export async function connect(
  settings: ConnectionSettings,
  database: string,
  signal: AbortSignal,
): Promise<pg.Client> {
  signal.throwIfAborted();
  const tls = await tlsOptions(settings);
  try {
    if (settings.sslMode === "prefer") return await preferTls(settings, database, tls);
    return await open(settings, database, tls);
  } catch (error) {
    throw serverError(error, `connection to ${where(settings)} database ${JSON.stringify(database)}`);
  }
}

export function where({ host, port }: ConnectionSettings): string {
  return `${host}:${port}`;
}

/** libpq's default: encrypted when the server can, and proving nothing. */
async function preferTls(settings: ConnectionSettings, database: string, tls: Tls): Promise<pg.Client> {
  try {
    return await open(settings, database, tls);
  } catch (error) {
    const hasNoTls = error instanceof Error && error.message.includes("does not support SSL");
    if (!hasNoTls) throw error;
    return open(settings, database, false);
  }
}

async function open(settings: ConnectionSettings, database: string, tls: Tls): Promise<pg.Client> {
  const { host, port, user, password, connectTimeoutMs } = settings;
  const client = new pg.Client({
    host,
    port,
    user,
    password,
    database,
    ssl: tls,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    application_name: "dormouse",
  });
  // Without a listener an idle session that breaks would end the process; its next query tells the caller.
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    void client.end();
    throw error;
  }
  return client;
}

type Tls = false | { readonly rejectUnauthorized: boolean; readonly checkServerIdentity?: () => undefined };

async function tlsOptions(settings: ConnectionSettings): Promise<Tls> {
  const { sslMode, sslRootCert, sslCert, sslKey } = settings;
  if (sslMode === "disable" || sslMode === "allow" || settings.host.startsWith("/")) return false;
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

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new DormouseError("configuration_invalid", `certificate file ${path} cannot be read`, {
      hint: "check PGSSLROOTCERT, PGSSLCERT and PGSSLKEY and the mounts behind them",
      cause: error,
    });
  }
}
