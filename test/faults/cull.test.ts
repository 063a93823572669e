import assert from "node:assert/strict";
import { execa } from "execa";
import * as promises from "node:fs/promises";
import { readdir, readFile, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import type { Run } from "../../shared/run/run.ts";
import type { Files } from "../../shared/catalog/volume/files.ts";
import { retiredDatabases } from "../../shared/backup/retired-databases.ts";
import { damageBook } from "../../functions/cull/marks/damage-book.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { jsonLog } from "../../shared/log.ts";
import { cullBackups, type CullDependencies } from "../../functions/cull/cull-backups.ts";
import { createMutex } from "../../functions/cull/mutex.ts";
import { KEEP_NOTHING } from "../support/backups.ts";
import { cull, cullEnvironment, daysOf, fillVolume, toReport } from "../support/culled.ts";
import { assertWhole, listingOf, preload, problemIn, setStage } from "../support/faulty.ts";
import { manifestOf, minutesAgo, spawnFunction, startFunction } from "../support/function-process.ts";
import { readContent, smallVolume, temporaryFolder, temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;
const PING = { id: "tick-1", time: minutesAgo(30) };
const silent = jsonLog(() => undefined);

const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", ...changes }));

const POLICY = { ...KEEP_NOTHING, newest: 2 };

/** The operation on a real volume of which some calls fail, or do something else first. */
async function cullWith(path: string, files: Partial<Files>) {
  const runs = runFiles(path, silent);
  const { run } = await runs.begin({
    kind: "cull",
    database: "*",
    trigger: { source: "test", id: `${Math.random()}` },
    request: {},
  });
  const catalog = volumeCatalog(path, { ...promises, ...files });
  const deps: CullDependencies = {
    place: "volume",
    catalog,
    volume: catalog,
    namespace: undefined,
    runs,
    damage: damageBook(path),
    retired: retiredDatabases(path),
    events: { send: async () => undefined },
    log: silent,
    mutex: createMutex(),
  };
  const nothing = async () => undefined;
  const [progress, meanwhile] = [() => undefined, () => undefined];
  const record = { refresh: async () => run, step: nothing, amend: nothing, progress, meanwhile };
  const context = { run, isResumed: false, signal: never, ...record };
  return cullBackups(deps, { policy: POLICY, maxRemovals: 200, dryRun: false }, context);
}

function fault(code: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(`${code}: made by the test`), { code }));
}

/** The real file system, of which one call fails once. Each has its own count: a failed listing may still be reading. */
function failingAt(call: "readdir" | "lstat" | "open", failing: number) {
  let calls = 0;
  const real = promises[call] as (...args: unknown[]) => Promise<unknown>;
  const broken = (...args: unknown[]) => {
    calls += 1;
    return calls === failing ? fault("EIO") : real(...args);
  };
  return { files: { ...promises, [call]: broken } as Files, isReached: () => calls >= failing };
}

describe("a cull whose volume fails", () => {
  for (const call of ["readdir", "lstat", "open"] as const) {
    it(`removes nothing when the listing fails midway, at whatever ${call}`, async () => {
      await using volume = await temporaryVolume();
      await fillVolume(volume.path, 4);
      const before = await readContent(volume.path);

      let failures = 0;
      for (; ; failures++) {
        const listing = failingAt(call, failures + 1);
        const listed = await volumeCatalog(volume.path, listing.files)
          .list(never)
          .then(
            () => true,
            () => false,
          );
        if (!listing.isReached()) break;
        assert.equal(listed, false);
        const { files } = failingAt(call, failures + 1);
        await assert.rejects(cullWith(volume.path, files), { code: "catalog_unreadable" });
        assert.deepEqual(await readContent(volume.path), before, `${call} ${failures + 1}`);
      }
      assert.ok(failures >= 4, `${failures}`);
    });
  }

  it("removes nothing while the record of another run cannot be read", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await writeFile(join(volume.path, ".dormouse/runs/restore-000000000000000000000000.json"), "{");
    await using culler = await start(volume.path);
    const before = await readContent(volume.path);

    const problem = await problemIn(culler.post());

    assert.deepEqual([problem.status, problem.code], [503, "catalog_unreadable"]);
    assert.deepEqual(await readContent(volume.path), before);
  });

  it("stops where removing is denied, tells what went and what did not, and goes on when it is allowed", async () => {
    await using volume = await temporaryVolume();
    const backups = await fillVolume(volume.path, 6);
    const denied = `${backups[1]?.name}.json`;
    let isDenied = true;
    const unlink = (path: unknown) =>
      isDenied && String(path).endsWith(denied) ? fault("EACCES") : promises.unlink(path as string);

    const stopped = cullWith(volume.path, { unlink });
    await assert.rejects(stopped, (error: { code?: string; message?: string }) => {
      assert.equal(error.code, "volume_unwritable");
      assert.match(error.message ?? "", /stopped at 2025-11-02.*removed 1 of 4 \(2025-11-01/);
      return true;
    });
    const { backups: left, foreign } = await volume.catalog.list(never);
    isDenied = false;
    const rest = await cullWith(volume.path, { unlink });

    assert.deepEqual(daysOf(left), ["11-06", "11-05", "11-04", "11-03", "11-02"]);
    assert.deepEqual(foreign, []);
    assert.deepEqual(daysOf(rest.removed), ["11-02", "11-03", "11-04"]);
  });

  it("leaves no backup without its archive when only the archive cannot be removed", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);
    const unlink = (path: unknown) =>
      String(path).endsWith(".bak") ? fault("EACCES") : promises.unlink(path as string);

    await assert.rejects(cullWith(volume.path, { unlink }), { code: "volume_unwritable" });

    const { backups, legacy, foreign } = await volume.catalog.list(never);
    assert.deepEqual(daysOf(backups), ["11-03", "11-02"]);
    // What lies there has the name and the content of a file of the old pod, or neither.
    assert.equal(legacy.length + foreign.length, 1);
  });

  it("believes no volume that says that it removes and does not", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);

    await assert.rejects(cullWith(volume.path, { unlink: async () => undefined }), {
      code: "volume_unwritable",
      message: /still there/,
    });
  });

  it("removes nothing from a volume that is read-only", async (test) => {
    await using volume = await smallVolume(test, "8m");
    if (volume === undefined) return;
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    await execa("mount", ["-o", "remount,ro", volume.path]);
    const before = await readContent(volume.path);

    const problem = await problemIn(culler.post());

    assert.deepEqual([problem.status, problem.code], [503, "volume_unwritable"]);
    assert.deepEqual(await readContent(volume.path), before);
  });

  it("makes room on a volume that has none left, not even for its record", async (test) => {
    await using volume = await smallVolume(test, "8m");
    if (volume === undefined) return;
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    // It listens before it is ready; then the reserve is there.
    await culler.get("/health/readiness");
    const { bavail, bsize } = await statfs(volume.path);
    await writeFile(join(volume.path, "filler"), Buffer.alloc(bavail * bsize));
    assert.equal((await statfs(volume.path)).bavail, 0);

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    await culler.logged("reserve file released");
  });
});

describe("a cull whose process ends", () => {
  it("leaves only whole backups, killed before whatever call since its plan was recorded, and is finished", async (test) => {
    await using folder = await temporaryFolder();
    const tally = join(folder.path, "tally");
    const calls = await undisturbed(tally);
    // Before its second record, what it is about to remove, a cull has changed nothing but records.
    const from = calls.indexOf("rename", calls.indexOf("rename") + 1) - 1;
    assert.match(
      calls.slice(from).join(" "),
      /^sync rename sync open unlink sync unlink sync rmdir sync unlink /,
    );

    for (let at = from; at < calls.length; at++) await killAndTakeUp(at + 1, `${calls[at]} ${at + 1}`);
    test.diagnostic(`${calls.length - from} calls: ${calls.slice(from).join(" ")}`);
  });
});

/** Three backups, each in a day of its own, of which one goes. */
async function givenVolume() {
  const volume = await temporaryVolume();
  await fillVolume(volume.path, 3);
  return volume;
}

async function undisturbed(tally: string): Promise<string[]> {
  await using volume = await givenVolume();
  const fault = {
    ...preload("faults-preload.ts"),
    DORMOUSE_TEST_FAULT: "none@0",
    DORMOUSE_TEST_TALLY: tally,
  };
  await using culler = await start(volume.path, fault);
  await culler.ping(PING);
  await culler.logged("run succeeded");
  return (await readFile(tally, "utf8")).trim().split("\n");
}

async function killAndTakeUp(at: number, message: string): Promise<void> {
  await using volume = await givenVolume();
  const fault = { ...preload("faults-preload.ts"), DORMOUSE_TEST_FAULT: `kill@${at}` };
  const doomed = spawnFunction("cull", cullEnvironment(volume.path, { NUM_BACKUPS: "2", ...fault }));
  await Promise.race([doomed.logged("listening"), doomed.ended]);
  let [isEnded, wasTaken] = [false, false];
  void doomed.ended.then(() => (isEnded = true));
  // A busy machine may make it refuse one.
  while (!isEnded && !wasTaken) {
    await pause(20);
    wasTaken = await doomed.ping(PING).then(
      ({ status }) => status === 202,
      () => false,
    );
  }
  await Promise.race([doomed.ended, doomed.logged("run succeeded")]);
  assert.equal(await doomed.end("SIGTERM"), "SIGKILL", message);
  await assertOnlyWhole(volume.path, await volume.catalog.list(never), message);

  await using next = await start(volume.path);
  // A sender that was not answered sends again.
  if (!wasTaken) await next.ping(PING);
  await settled(volume.path);
  const { backups, legacy, foreign } = await volume.catalog.list(never);
  assert.deepEqual([daysOf(backups), legacy, foreign], [["11-03", "11-02"], [], []], message);
  assert.deepEqual(await readdir(volume.path), [".dormouse", "2025-11-02", "2025-11-03"], message);
}

async function assertOnlyWhole(path: string, { backups }: CatalogListing, message: string): Promise<void> {
  assert.ok(backups.length >= 2, message);
  await assertWhole(path, backups);
}

async function settled(path: string): Promise<void> {
  const folder = `${path}/.dormouse/runs`;
  for (;;) {
    const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
    const runs = names.map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8")) as Run);
    if (names.length === 1 && (await Promise.all(runs)).every(({ state }) => state === "succeeded")) return;
    await pause(20);
  }
}

describe("culls that meet others", () => {
  it("remove each backup once when two cull at once", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 40);
    await using one = await start(volume.path);
    await using two = await start(volume.path);
    // Until then each may take the other's run for one that a dead process left, and carry it out as well.
    for (const process of [one, two]) await process.get("/health/readiness");

    const reports = await Promise.all([cull(one), cull(two)]);

    const { backups, legacy, foreign } = await volume.catalog.list(never);
    assert.deepEqual([backups.length, legacy, foreign], [2, [], []]);
    const removed = reports.flatMap((report) => daysOf(report.removed));
    assert.equal(new Set(removed).size, 38);
    for (const { remaining } of reports) for (const { why } of remaining) assert.match(why, /gone already/);
  });

  it("leave alone what was pinned, or what a restore came to need, after the plan was made", async () => {
    await using volume = await temporaryVolume();
    const backups = await fillVolume(volume.path, 6);
    const [first, second] = backups;
    const runs = runFiles(volume.path, silent);
    let isPlanned = false;
    // The first removal begins by looking at the first backup once more.
    const unlink = async (path: unknown) => {
      if (!isPlanned) {
        isPlanned = true;
        const pin = { at: new Date().toISOString(), by: "ada" };
        await volume.catalog.mark(
          backups[2]?.name ?? assert.fail(),
          (manifest) => ({ ...manifest, pin }),
          never,
        );
        const request = { filename: second?.name };
        const trigger = { source: "http", id: "restore" };
        await runs.begin({ kind: "restore", database: "hets", trigger, request });
      }
      return promises.unlink(path as string);
    };

    const report = await cullWith(volume.path, { unlink });

    assert.deepEqual(daysOf(report.removed), [first?.name.slice(5, 10), "11-04"]);
    assert.deepEqual(
      report.remaining.map(
        ({ name, why }) => `${name.slice(5, 10)} ${why.replace(/restore-\w+/, "restore")}`,
      ),
      ["11-02 run restore has come to need it", "11-03 it was pinned meanwhile"],
    );
  });

  it("take nothing from a backup that is being taken, and the backup nothing from the cull", async () => {
    await using stage = await setStage();
    const old = await fillVolume(stage.path, 5, () => ({ database: "another" }));
    const { backup, answer, release } = await stage.startHeld();
    await using culler = await start(stage.path, { NUM_BACKUPS: "1" });

    const report = await cull(culler);
    await release();
    const manifest = await manifestOf(await answer);

    assert.equal(report.removed.length, old.length - 1);
    const { backups, foreign } = await listingOf(backup);
    const own = backups.filter(({ database }) => database === stage.database);
    assert.deepEqual([own[0]?.name, own.length, backups.length, foreign], [manifest.name, 2, 3, []]);
    await assertWhole(stage.path, backups);
  });

  it("keep the backup that an unfinished restore was asked for, however old it is", async () => {
    await using volume = await temporaryVolume();
    const [oldest] = await fillVolume(volume.path, 5);
    const runs = runFiles(volume.path, silent);
    const request = { filename: oldest?.name };
    const trigger = { source: "http", id: "restore" };
    const { run } = await runs.begin({ kind: "restore", database: "hets", trigger, request });
    await using culler = await start(volume.path);

    const during = await cull(culler);
    await runs.update({ ...run, state: "succeeded" });
    const after = await toReport(culler.post());

    assert.deepEqual(daysOf(during.removed), ["11-02", "11-03"]);
    assert.equal(during.databases[0]?.keep.at(-1)?.reasons[0]?.rule, "in_use");
    assert.deepEqual(daysOf(after.removed), ["11-01"]);
  });
});
