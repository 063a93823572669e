import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ALL_DATABASES, type Run } from "../../shared/run/run.ts";
import { assertWhole, listingOf, preload, until } from "../support/faulty.ts";
import { backupEnvironment, minutesAgo, spawnFunction, startFunction } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { temporaryFolder } from "../support/volume.ts";

const PING = { id: "tick", time: minutesAgo(30) };
/** Each is a call that changes the volume; those of one process begin with the first. */
const POINTS = [3, 9, 17, 6, 22, 13, 28, 11, 34, 19];

describe("a backup of all databases whose process is killed again and again", () => {
  it("goes on with those that are missing, and makes each once", async (test) => {
    await using given = await threeDatabases();
    await using volume = await temporaryFolder();
    const environment = {
      ...given.environment,
      BACKUP_DIR: volume.path,
      RETRY_SECONDS: "60",
    };
    const hasSwept = async () => (await sweepIn(volume.path))?.state === "succeeded";
    // It fails when one database has had its three attempts; the same ping then begins again what is missing.
    const hasEnded = async () => /^(?:succeeded|failed)$/.test((await sweepIn(volume.path))?.state ?? "");

    let killed = 0;
    for (const at of POINTS) {
      if (await hasSwept()) break;
      const fault = { ...preload("faults-preload.ts"), DORMOUSE_TEST_FAULT: `kill@${at}` };
      const doomed = spawnFunction("backup", { ...environment, ...fault });
      await Promise.race([doomed.logged("listening"), doomed.ended]);
      await doomed.ping(PING).catch(() => undefined);
      await Promise.race([doomed.ended, until(hasEnded)]);
      if ((await doomed.end("SIGTERM")) === "SIGKILL") killed += 1;
    }
    await using last = await startFunction("backup", environment);
    await last.ping(PING);
    await until(hasSwept);

    const { backups, foreign } = await listingOf(last);
    assert.deepEqual(backups.map(({ database }) => database).toSorted(), given.databases);
    assert.deepEqual([backups.map(({ sequence }) => sequence), foreign], [[1, 1, 1], []]);
    await assertWhole(volume.path, backups);
    const sweep = await sweepIn(volume.path);
    const done = sweep?.steps
      .filter(({ step }) => step === "backed_up")
      .map(({ detail }) => detail?.["database"]);
    assert.deepEqual(done?.toSorted(), given.databases);
    assert.ok(killed >= 3, `${killed}`);
    test.diagnostic(`${killed} processes were killed`);
  });
});

/** The record of the run over all. One that is just being replaced, or taken, is not there. */
async function sweepIn(path: string): Promise<Run | undefined> {
  const folder = join(path, ".dormouse/runs");
  const names = (await readdir(folder).catch(() => [])).filter((name) => /^backup-.*\.json$/.test(name));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8").catch(() => "")));
  const runs = texts.flatMap((text) => (text === "" ? [] : [JSON.parse(text) as Run]));
  return runs.find(({ database }) => database === ALL_DATABASES);
}

async function threeDatabases() {
  const server = await sharedServer();
  const prefix = `sweep_${randomUUID().slice(0, 8)}`;
  const databases = [`${prefix}_a`, `${prefix}_a1`, `${prefix}_b`];
  for (const database of databases) {
    await server.createDatabase(database);
    await server.query(database, "CREATE TABLE t AS SELECT 1 AS a");
  }
  const { POSTGRESQL_DATABASE: _, ...environment } = backupEnvironment(server, "", "");
  return {
    databases,
    environment: { ...environment, POSTGRESQL_DATABASES: `${prefix}_*` },
    async [Symbol.asyncDispose]() {
      for (const database of databases) await server.dropDatabase(database);
    },
  };
}
