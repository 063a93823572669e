// The part of the demo in which the volume burns: a backup is mirrored to an S3 server of this process, the volume is
// wiped, the data is destroyed, and both come back from the bucket.
import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { PlacedListing } from "../../shared/catalog/merged-catalog.ts";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../test/support/function-process.ts";
import type { OwnServer } from "../../test/support/postgres.ts";
import { createSample, fingerprint } from "../../test/support/sample-database.ts";
import { embeddedStore, makeBucket, mirrorEnvironment } from "../../test/support/s3.ts";

type Given = {
  readonly server: OwnServer;
  /** Where volume and scratch may lie; removed by the caller. */
  readonly folder: string;
  readonly say: (line: string) => void;
};

const DATABASE = "ledger";

export async function demoBucket({ server, folder, say }: Given): Promise<void> {
  const [volume, scratch] = [join(folder, "bucket-volume"), join(folder, "bucket-scratch")];
  for (const path of [volume, scratch]) await mkdir(path);
  await using store = await embeddedStore();
  await using bucket = await makeBucket(store);
  await server.createDatabase(DATABASE);
  const original = await withClient(server, async (client) => {
    await createSample(client);
    return fingerprint(client);
  });

  const name = await mirrored();
  await rm(volume, { recursive: true });
  await mkdir(volume);
  await withClient(server, (client) => client.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public"));
  say(`then the volume was wiped, and everything in "${DATABASE}" dropped`);
  await restored();
  const found = await withClient(server, fingerprint);
  assert.deepEqual(found, original);
  say(`all is back, with nothing but the bucket: every table has the content that it had`);

  async function mirrored(): Promise<string> {
    const environment = { ...backupEnvironment(server, DATABASE, volume), ...mirrorEnvironment(bucket) };
    await using backup = await startFunction("backup", environment);
    const manifest = await manifestOf(await backup.post());
    const objects = (await bucket.keys()).map((key) => key.split("/").at(-1)).join(", ");
    say(`a backup of "${DATABASE}" was mirrored to an S3 server on ${store.endpoint}: ${objects}`);
    return manifest.name;
  }

  async function restored(): Promise<void> {
    const environment = { ...restoreEnvironment(server, DATABASE, volume), ...mirrorEnvironment(bucket) };
    await using restore = await startFunction("restore", { ...environment, RESTORE_DIR: scratch });
    const { backups } = (await (await restore.get("/")).json()) as PlacedListing;
    say(`the restore function lists ${backups.map((each) => `${each.name} (${each.places.join()})`).join()}`);
    const answer = await restore.post({ filename: name });
    if (answer.status !== 200) throw new Error(`the restore failed: ${await answer.text()}`);
    const { compared } = (await answer.json()) as RestoreResult;
    say(`it was fetched, proved, loaded and swapped; ${compared?.rows} rows compared`);
  }
}

async function withClient<Result>(
  server: OwnServer,
  work: (client: Awaited<ReturnType<OwnServer["connect"]>>) => Promise<Result>,
): Promise<Result> {
  const client = await server.connect(DATABASE);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
