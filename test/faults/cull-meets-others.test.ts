import assert from "node:assert/strict";
import * as promises from "node:fs/promises";
import { describe, it } from "node:test";
import { jsonLog } from "../../shared/log.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { cullWith } from "../support/cull-with.ts";
import { cull, cullEnvironment, daysOf, fillVolume, toReport } from "../support/culled.ts";
import { assertWhole, listingOf, setStage } from "../support/faulty.ts";
import { manifestOf, startFunction } from "../support/function-process.ts";
import { temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;
const silent = jsonLog(() => undefined);

const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", ...changes }));

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
