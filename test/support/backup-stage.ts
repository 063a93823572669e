import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Run } from "../../shared/run/run.ts";
import { until } from "./faulty.ts";
import { backupEnvironment, startFunction } from "./function-process.ts";
import { sharedServer } from "./postgres.ts";
import { createSample } from "./sample-database.ts";
import { temporaryFolder } from "./volume.ts";

export type BackupStage = Awaited<ReturnType<typeof setBackupStage>>;

/** A database with the sample in it, an empty volume, and a backup function. */
export async function setBackupStage() {
  const server = await sharedServer();
  const database = await server.createDatabase();
  const client = await server.connect(database);
  await createSample(client);
  await client.end();
  const volume = await temporaryFolder();
  const backup = await startFunction("backup", backupEnvironment(server, database, volume.path));
  /** Those that are written, and no temporary file. */
  const records = async (): Promise<readonly string[]> => {
    const folder = join(volume.path, ".dormouse/runs");
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith(".json")).map((name) => join(folder, name));
  };
  return {
    server,
    database,
    path: volume.path,
    backup,
    records,
    catalog: async () => ((await (await backup.get("/")).json()) as { backups: { name: string }[] }).backups,
    /** Waits until every run that is on record has ended: records come before answers. */
    settled: () =>
      until(async () => {
        const runs = await Promise.all((await records()).map((path) => readFile(path, "utf8")));
        return runs.every((run) => ["succeeded", "failed"].includes((JSON.parse(run) as Run).state));
      }),
    async [Symbol.asyncDispose]() {
      await backup[Symbol.asyncDispose]();
      await volume[Symbol.asyncDispose]();
      await server.dropDatabase(database);
    },
  };
}
