import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Run } from "../../shared/run/run.ts";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import { eventReceiver } from "../support/event-receiver.ts";
import { backupEnvironment, minutesAgo, spawnFunction, startFunction } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import {
  assertWhole,
  listingOf,
  preload,
  problemIn,
  setStage,
  until,
  type Stage,
} from "../support/faulty.ts";
import { temporaryFolder } from "../support/volume.ts";

type Environment = Readonly<Record<string, string>>;

const PING = { id: "tick-1", time: minutesAgo(30) };

describe("a backup whose process ends", () => {
  it("resumes after SIGKILL in the middle of the dump, and makes one backup", async () => {
    await using stage = await setStage();
    const { backup, release } = await stage.startHeld();
    await backup.end("SIGKILL");
    await stage.assertUntouchedButTemporary();
    await release();

    const next = await stage.start({ RETRY_SECONDS: "600" });
    await next.logged("run resumed");
    await next.logged("run succeeded");

    await assertOneMore(stage);
  });

  it("ends on SIGTERM in the middle of the dump, leaves nothing, and is resumed", async () => {
    await using stage = await setStage();
    const { backup, answer, release } = await stage.startHeld();
    const ended = backup.end("SIGTERM");
    const problem = await problemIn(answer);

    assert.deepEqual([problem.status, problem.code], [503, "interrupted"]);
    assert.equal(await ended, 0);
    await stage.assertUntouched();
    await release();
    const next = await stage.start({ RETRY_SECONDS: "600" });
    await next.logged("run succeeded");
    await assertOneMore(stage);
  });

  it("answers the run that is at hand before it ends on SIGTERM, when the grace period allows", async () => {
    await using stage = await setStage();
    const { backup, answer, release } = await stage.startHeld({ SHUTDOWN_GRACE_SECONDS: "20" });
    const ended = backup.end("SIGTERM");
    await backup.logged("shutdown begun");
    await release();

    assert.equal((await answer).status, 200);
    assert.equal(await ended, 0);
    await assertOneMore(stage);
  });

  it("is waited for by a pod that starts meanwhile, which makes no second one and gives no alarm", async () => {
    await using stage = await setStage();
    await using sink = await eventReceiver();
    const { answer, release } = await stage.startHeld({ K_SINK: sink.url });
    const next = await stage.start({ K_SINK: sink.url, RETRY_SECONDS: "0" });
    await next.logged("run resumed");
    await pause(1_500);
    await release();

    const { run } = (await (await answer).json()) as BackupManifest;
    await next.logged("run interrupted");

    const record = (await (await next.get(`/runs/${run}`)).json()) as Run;
    assert.equal(record.state, "succeeded");
    assert.deepEqual(
      record.steps.map(({ step }) => step),
      ["locked", "inspected", "dumped", "verified", "published"],
    );
    await until(async () => sink.events.length >= 1);
    assert.deepEqual(
      sink.events.map(({ type }) => type),
      ["dev.dormouse.backup.completed"],
    );
    await assertOneMore(stage);
  });

  it("gives up a run that was interrupted three times, and reports that, also when it is killed meanwhile", async () => {
    await using stage = await setStage();
    await using sink = await eventReceiver();
    const held = await stage.startHeld();
    await held.backup.end("SIGKILL");
    for (let attempt = 2; attempt <= 3; attempt++) {
      const next = await stage.start({ RETRY_SECONDS: "600" });
      await next.logged("run resumed");
      await next.end("SIGKILL");
    }

    const release = sink.hold();
    const killed = await stage.start({ K_SINK: sink.url });
    await killed.logged("run abandoned");
    await until(() => sink.events.length > 0);
    await killed.end("SIGKILL");
    release();
    const last = await stage.start({ K_SINK: sink.url });
    await held.release();

    await until(() => sink.events.length > 1);
    const [failed, again] = sink.events;
    assert.equal(failed?.type, "dev.dormouse.backup.failed");
    assert.deepEqual([again?.type, again?.id], [failed.type, failed.id]);
    assert.match(JSON.stringify(failed.data), /"code":"interrupted","message":"[^"]*begun 3 times/);

    assert.equal((await listingOf(last)).backups.length, 1);
  });

  it("makes one backup of an event and reports it, killed before any call that changes the volume", async (test) => {
    await using given = await smallDatabase();
    const calls = await undisturbed(given.environment);
    assert.ok(calls.includes("link") && calls.includes("sync"), calls.join());

    // A sync changes nothing that another process sees: before it the volume is as it is before the call that follows.
    const isSeen = (index: number) => calls[index] !== "sync" || index === calls.length - 1;
    for (const index of calls.keys().filter(isSeen))
      await killAndTakeUp(given.environment, index + 1, `${calls[index]} ${index + 1}`);
    test.diagnostic(`${calls.length} calls: ${calls.join(" ")}`);
  });

  it("does so without hard links, killed wherever a name is taken in another way", async (test) => {
    await using given = await smallDatabase();
    const environment = { ...given.environment, DORMOUSE_TEST_NO_LINKS: "1" };
    const linked = await undisturbed(given.environment);
    const calls = await undisturbed(environment);
    assert.equal(calls.length, linked.length);

    // Before any other call the volume is as it is with hard links.
    const differs = (index: number) => calls[index] !== linked[index];
    const points = calls.keys().filter((index) => differs(index) || differs(index - 1));
    const killed = [...points].map((index) => index + 1);
    for (const at of killed) await killAndTakeUp(environment, at, `${calls[at - 1]} ${at}`);
    // The run's record, the archive and the manifest.
    assert.equal(killed.length, 3 * 3, killed.join());
    test.diagnostic(`${calls.length} calls: ${calls.join(" ")}`);
  });
});

/** What is in the database matters to none of the calls, but takes time in each dump. */
async function smallDatabase() {
  const server = await sharedServer();
  const database = await server.createDatabase();
  await server.query(database, "CREATE TABLE t AS SELECT 1 AS a");
  return {
    environment: { ...backupEnvironment(server, database, ""), ...preload("faults-preload.ts") },
    [Symbol.asyncDispose]: () => server.dropDatabase(database),
  };
}

async function killAndTakeUp(given: Environment, at: number, message: string): Promise<void> {
  await using volume = await temporaryFolder();
  await using sink = await eventReceiver();
  const environment = { ...given, BACKUP_DIR: volume.path, K_SINK: sink.url };
  const doomed = spawnFunction("backup", { ...environment, DORMOUSE_TEST_FAULT: `kill@${at}` });
  await Promise.race([doomed.logged("listening"), doomed.ended]);
  const wasTaken = await doomed.ping(PING).then(
    ({ status }) => status === 202,
    () => false,
  );
  await Promise.race([doomed.ended, doomed.logged("run succeeded")]);
  assert.equal(await doomed.end("SIGTERM"), "SIGKILL", message);

  // The server may take a moment to notice that the holder of the lock is gone.
  await using next = await startFunction("backup", { ...environment, RETRY_SECONDS: "600" });
  // A sender that was not answered sends again.
  if (!wasTaken) await next.ping(PING);
  await until(() => isSettled(volume.path));
  const { backups, foreign } = await listingOf(next);
  assert.deepEqual([backups.map(({ sequence }) => sequence), foreign], [[1], []], message);
  await assertWhole(volume.path, backups);
  await until(() => sink.events.length > 0);
  // A receiver knows a repeat by its id.
  assert.equal(new Set(sink.events.map(({ type, id }) => `${type} ${id}`)).size, 1, message);
  assert.equal(sink.events[0]?.type, "dev.dormouse.backup.completed", message);
}

/** The calls that change the volume while one event becomes a backup, from the process's start. */
async function undisturbed(environment: Environment): Promise<string[]> {
  await using folder = await temporaryFolder();
  await using volume = await temporaryFolder();
  await using sink = await eventReceiver();
  const tally = join(folder.path, "tally");
  const changes = { BACKUP_DIR: volume.path, DORMOUSE_TEST_FAULT: "none@0", DORMOUSE_TEST_TALLY: tally };
  await using backup = await startFunction("backup", { ...environment, ...changes, K_SINK: sink.url });
  await backup.ping(PING);
  await backup.logged("run succeeded");
  return (await readFile(tally, "utf8")).trim().split("\n");
}

async function isSettled(path: string): Promise<boolean> {
  const folder = `${path}/.dormouse/runs`;
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const records = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  // Without hard links, one whose name was taken and that was not written is empty.
  const states = records.map((text) => (text === "" ? undefined : (JSON.parse(text) as Run).state));
  return states.length === 1 && states[0] === "succeeded";
}

/** The one that was there and one more, both whole, and nothing beside them. */
async function assertOneMore(stage: Stage): Promise<void> {
  const reader = await stage.start();
  const { backups, foreign, legacy } = await listingOf(reader);
  assert.deepEqual([backups.length, foreign, legacy], [2, [], []]);
  assert.deepEqual(
    backups.map(({ sequence }) => sequence),
    [2, 1],
  );
  await assertWhole(stage.path, backups);
  await reader.end("SIGKILL");
}
