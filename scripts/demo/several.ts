// The part of the demo with one installation for two databases: one ping backs up both, and the ping of each Sunday proves
// the backups by loading them.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import type { Run } from "../../shared/run/run.ts";
import {
  backupEnvironment,
  startFunction,
  type FunctionProcess,
} from "../../test/support/function-process.ts";
import type { OwnServer } from "../../test/support/postgres.ts";

type Given = {
  readonly server: OwnServer;
  /** Where the volume may lie; removed by the caller. */
  readonly folder: string;
  readonly say: (line: string) => void;
};

const DATABASES = ["shop", "billing"];

export async function demoSeveral({ server, folder, say }: Given): Promise<void> {
  const volume = join(folder, "several-volume");
  await mkdir(volume);
  for (const database of DATABASES) {
    await server.createDatabase(database);
    await server.query(
      database,
      "CREATE TABLE item AS SELECT g AS id, md5(g::text) AS what FROM generate_series(1, 2000) g",
    );
  }
  const { POSTGRESQL_DATABASE: _, ...one } = backupEnvironment(server, "", volume);
  const environment = { ...one, POSTGRESQL_DATABASES: DATABASES.join() };

  await using backup = await startFunction("backup", environment);
  await backup.ping();
  await ended(backup);
  say(`one installation, POSTGRESQL_DATABASES=${DATABASES.join()}: one ping took ${await proofs(backup)}`);

  await using restore = await startFunction("restore", environment);
  await restore.ping({ data: { rehearse: "each" } });
  await ended(restore);
  say(
    `the scheduled rehearsal loaded the latest backup of each, compared, and dropped it: ${await proofs(backup)}`,
  );
}

/** The run over all databases, when it has ended. */
async function ended(of: FunctionProcess): Promise<void> {
  for (;;) {
    const { runs } = (await (await of.get("/runs")).json()) as { readonly runs: readonly Run[] };
    const whole = runs.find(({ database }) => database === "");
    if (whole?.state === "failed") throw new Error(whole.problem?.message);
    if (whole?.state === "succeeded") return;
    await pause(100);
  }
}

async function proofs(backup: FunctionProcess): Promise<string> {
  const { backups } = (await (await backup.get("/")).json()) as CatalogListing;
  return backups.map(({ name, manifest }) => `${name} (${manifest.verification.level})`).join(", ");
}
