// The databases of the bench, and one backup of one of them.
import { backupEnvironment, manifestOf, startFunction } from "../test/support/function-process.ts";
import type { OwnServer } from "../test/support/postgres.ts";
import { createSample } from "../test/support/sample-database.ts";
import { imageEnvironment, peakOf } from "./measure.ts";

/** About 0.92 MB of database each. */
export const [SMALL, LARGE] = [60, 600];
export const SETTINGS = { shared_buffers: "1GB", max_wal_size: "4GB" };

/** By a process of its own: the peak of its resident memory. */
export async function peakOfBackup(server: OwnServer, database: string, folder: string): Promise<number> {
  await using backup = await startFunction("backup", {
    ...(await imageEnvironment()),
    ...backupEnvironment(server, database, folder),
  });
  await manifestOf(await backup.post());
  return await peakOf(backup.pid);
}

export async function fill(server: OwnServer, name: string, scale: number): Promise<void> {
  await server.createDatabase(name);
  const client = await server.connect(name);
  await createSample(client, scale);
  await client.query("VACUUM ANALYZE");
  await client.end();
  console.log(`${name}: ${await sizeOf(server, name)}`);
}

export async function sizeOf(server: OwnServer, name: string): Promise<string> {
  const { rows } = await server.query(
    name,
    "SELECT pg_size_pretty(pg_database_size(current_database())) AS size",
  );
  return `database of ${(rows as { size: string }[])[0]?.size}`;
}
