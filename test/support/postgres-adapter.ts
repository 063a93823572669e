import type { DatabaseInspection } from "../../shared/postgres/preflight.ts";
import type { DatabaseProperties } from "../../shared/postgres/properties/database-properties.ts";
import type { ConnectionSettings } from "../../shared/postgres/session/connection.ts";
import type { DumpOptions } from "../../shared/postgres/pg-dump.ts";
import type { ServerAddress } from "./postgres.ts";

/** The server's address as the adapter is given it. */
export function settingsOf(
  server: ServerAddress,
  changes: Partial<ConnectionSettings> = {},
): ConnectionSettings {
  const { host, port, user, password } = server;
  const rest = { sslMode: "prefer", maintenanceDatabase: "postgres", connectTimeoutMs: 60_000 } as const;
  return { host, port, user, password, ...rest, ...changes };
}

export function dumpOptions(server: ServerAddress, changes: Partial<DumpOptions> = {}): DumpOptions {
  return { deadlineMs: 600_000, stallMs: 120_000, lockWaitMs: 5_000, secrets: [server.password], ...changes };
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** As CREATE DATABASE makes one of template0. */
export const plainDatabase: DatabaseProperties = {
  owner: "postgres",
  encoding: "UTF8",
  localeProvider: "libc",
  collate: "C",
  ctype: "C",
  tablespace: "pg_default",
  connectionLimit: -1,
  isTemplate: false,
  settings: [],
  labels: [],
};

/** Of an empty database; what a dump takes from it are its settings. */
export const anInspection: DatabaseInspection = {
  role: "postgres",
  serverVersion: "15.18",
  serverMajor: 15,
  databaseBytes: 0,
  extensions: [],
  lacks: [],
  roles: [],
  excluded: { tables: [], unmatched: [] },
  properties: plainDatabase,
  settings: {},
  dumpSettings: {},
  warnings: [],
};
