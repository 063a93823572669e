import assert from "node:assert/strict";
import { randomInt, randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ALL_DATABASES, type Run } from "../../shared/run/run.ts";
import { assertWhole, listingOf, preload, until } from "../support/faulty.ts";
import { backupEnvironment, minutesAgo, spawnFunction, startFunction } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { temporaryFolder } from "../support/volume.ts";

const PING = { id: "tick", time: minutesAgo(30) };
const KILLS = 10;
/** Of a process, the last call that changes the volume by which it may be killed: in it one takes some databases. */
const LAST_CALL = 60;
/** What the names of the twelve databases end in: some are the beginning of others, and some have broken tools. */
const ENDS = ["", "_", "_1", "_10", "-1", "A", "*", "!", "a,b", `quote'and"\\`, "Größe", "2026-11-22-01-00"];

describe("a backup of all databases whose process is killed again and again", () => {
  it("goes on with those that are missing, and makes each once, while one is dropped and one is made", async (test) => {
    await using given = await twelveDatabases();
    await using volume = await temporaryFolder();
    const environment = { ...given.environment, BACKUP_DIR: volume.path, RETRY_SECONDS: "600" };
    const state = async () => (await sweepIn(volume.path))?.state;
    const hasEnded = async () => /^(?:succeeded|failed)$/.test((await state()) ?? "");
    const points = Array.from({ length: KILLS }, () => randomInt(1, LAST_CALL + 1));
    test.diagnostic(`killed at ${points.join(", ")}`);

    let killed = 0;
    for (const [turn, at] of points.entries()) {
      if ((await state()) === "succeeded") break;
      if (turn === 2) await given.exchange();
      const fault = { ...preload("faults-preload.ts"), DORMOUSE_TEST_FAULT: `kill@${at}` };
      const doomed = spawnFunction("backup", { ...environment, ...fault });
      await Promise.race([doomed.logged("listening"), doomed.ended]);
      await doomed.ping(PING).catch(() => undefined);
      await Promise.race([doomed.ended, until(hasEnded)]);
      if ((await doomed.end("SIGTERM")) === "SIGKILL") killed += 1;
    }
    await using last = await startFunction("backup", environment);
    await until(async () => {
      // It fails when one database has had its three attempts; the same ping then begins again what is missing.
      if ((await state()) !== "running") await last.ping(PING);
      return (await state()) === "succeeded";
    });

    const { backups, foreign } = await listingOf(last);
    const taken = backups.map(({ database }) => database).filter((database) => database !== given.dropped);
    assert.deepEqual(taken.toSorted(), given.databases());
    assert.deepEqual([new Set(backups.map(({ sequence }) => sequence)), foreign], [new Set([1]), []]);
    await assertWhole(volume.path, backups);
    const sweep = await sweepIn(volume.path);
    const done = sweep?.steps
      .filter(({ step }) => step === "backed_up")
      .map(({ detail }) => String(detail?.["database"]));
    assert.deepEqual(done?.filter((database) => database !== given.dropped).toSorted(), given.databases());
    assert.ok(killed >= 3, `${killed} were killed`);
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

async function twelveDatabases() {
  const server = await sharedServer();
  const prefix = `sweep_${randomUUID().slice(0, 8)}`;
  const databases = new Set(ENDS.map((end) => `${prefix}${end}`));
  const create = async (database: string) => {
    await server.createDatabase(database);
    await server.query(database, "CREATE TABLE t AS SELECT 1 AS a");
    databases.add(database);
  };
  for (const database of databases) await create(database);
  const { POSTGRESQL_DATABASE: _, ...environment } = backupEnvironment(server, "", "");
  const dropped = `${prefix}_1`;
  return {
    dropped,
    databases: () => [...databases].toSorted(),
    /** One database goes, and another one comes. */
    async exchange(): Promise<void> {
      await server.dropDatabase(dropped);
      databases.delete(dropped);
      await create(`${prefix}_new`);
    },
    environment: { ...environment, POSTGRESQL_DATABASES: `${prefix}*` },
    async [Symbol.asyncDispose]() {
      for (const database of databases) await server.dropDatabase(database);
    },
  };
}
