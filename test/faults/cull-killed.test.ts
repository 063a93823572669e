import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import type { Run } from "../../shared/run/run.ts";
import { cullEnvironment, daysOf, fillVolume } from "../support/culled.ts";
import { assertWhole, preload } from "../support/faulty.ts";
import { minutesAgo, spawnFunction, startFunction } from "../support/function-process.ts";
import { temporaryFolder, temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;
const PING = { id: "tick-1", time: minutesAgo(30) };

const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", ...changes }));

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
