import type { ConnectionSettings } from "../../shared/postgres/connection.ts";
import type { DumpOptions } from "../../shared/postgres/pg-dump.ts";
import type { ServerAddress } from "./postgres.ts";

/** The server's address as the adapter is given it. */
export function settingsOf(
  server: ServerAddress,
  changes: Partial<ConnectionSettings> = {},
): ConnectionSettings {
  const { host, port, user, password } = server;
  const rest = { sslMode: "prefer", maintenanceDatabase: "postgres", connectTimeoutMs: 5_000 } as const;
  return { host, port, user, password, ...rest, ...changes };
}

export function dumpOptions(server: ServerAddress, changes: Partial<DumpOptions> = {}): DumpOptions {
  return { deadlineMs: 60_000, stallMs: 30_000, lockWaitMs: 5_000, secrets: [server.password], ...changes };
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
