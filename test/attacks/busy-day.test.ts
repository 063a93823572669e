import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cull, cullEnvironment, daysOf, DAY_MS, fillVolume, FIRST_AT } from "../support/culled.ts";
import { startFunction } from "../support/function-process.ts";
import { temporaryVolume } from "../support/volume.ts";

const NIGHTS = 31;

/** A backup a night, then as many within the hours after the last one. */
async function floodedVolume() {
  const volume = await temporaryVolume();
  await fillVolume(volume.path, 2 * NIGHTS, (index) => {
    const extra = Math.max(0, index - NIGHTS + 1);
    const startedAt = new Date(FIRST_AT.getTime() + (index - extra) * DAY_MS + extra * 60_000);
    return { startedAt };
  });
  return volume;
}

describe("a burst of backups within a day", () => {
  it("pushes out no backup of another night, with all settings as they come", async () => {
    await using volume = await floodedVolume();
    await using culler = await startFunction("cull", cullEnvironment(volume.path));

    const report = await cull(culler);
    const again = await cull(culler);

    const { backups } = await volume.catalog.list(new AbortController().signal);
    assert.deepEqual(new Set(daysOf(backups)).size, NIGHTS);
    assert.deepEqual(new Set(daysOf(report.removed)), new Set([daysOf(backups)[0]]));
    assert.deepEqual(again.removed, []);
  });

  it("leaves the bare count where KEEP_DAILY=0 asks for it", async () => {
    await using volume = await floodedVolume();
    await using culler = await startFunction("cull", cullEnvironment(volume.path, { KEEP_DAILY: "0" }));

    await cull(culler);

    const { backups } = await volume.catalog.list(new AbortController().signal);
    assert.deepEqual(new Set(daysOf(backups)).size, 1);
    assert.equal(backups.length, NIGHTS);
  });
});
