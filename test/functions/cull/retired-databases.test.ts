import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Report } from "../../../shared/doctor/finding.ts";
import { retiredDatabases } from "../../../shared/backup/retired-databases.ts";
import { cull, cullEnvironment, fillVolume } from "../../support/culled.ts";
import { problemIn } from "../../support/faulty.ts";
import { startFunction } from "../../support/function-process.ts";
import { temporaryVolume } from "../../support/volume.ts";

const start = (path: string) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", STALE_HOURS: "1" }));

describe("a database that is gone", () => {
  it("is stale until it is retired with a reason, and its newest backups stay on that day", async () => {
    await using volume = await temporaryVolume();
    const backups = await fillVolume(volume.path, 4);
    const database = backups[0]?.database ?? "";
    await using culler = await start(volume.path);
    const stale = await cull(culler, { dryRun: true });
    assert.notEqual(stale.databases[0]?.staleness, undefined);

    for (const wrong of [
      { retire: database },
      { retire: "", reason: "gone" },
      { retire: database, reason: "" },
    ])
      assert.equal((await problemIn(culler.post(wrong))).code, "request_invalid", JSON.stringify(wrong));
    const unknown = await problemIn(culler.post({ retire: `${database}x`, reason: "gone" }));
    assert.equal(unknown.code, "backup_not_found");
    assert.notEqual((await cull(culler, { dryRun: true })).databases[0]?.staleness, undefined);

    const first = await (await culler.post({ retire: database, reason: "moved away" })).json();
    const again = await (await culler.post({ retire: database, reason: "again" })).json();

    assert.deepEqual(again, first);
    const { databases, kept, removed } = await cull(culler);
    assert.equal(databases[0]?.staleness, undefined);
    assert.deepEqual([kept, removed.length], [2, 2]);
    const { findings } = (await (await culler.get("/doctor")).json()) as Report;
    assert.deepEqual(
      findings.filter(({ check }) => check === "backups").map(({ state }) => state),
      ["good"],
    );
  });

  it("loses its backups once the counts would have let them go, but for a pinned one, and no other database does", async () => {
    await using volume = await temporaryVolume();
    const pin = { at: "2026-11-22T02:00:00Z", by: "ada" };
    const backups = await fillVolume(volume.path, 4, (index) => (index === 1 ? { pin } : {}));
    await fillVolume(volume.path, 2, () => ({ database: "hets2" }));
    const [last] = backups.toReversed();
    const day = new Date((last?.startedAt.getTime() ?? 0) + 86_400_000);
    await using culler = await start(volume.path);

    await writeRetirement(volume.path, "hets", day.toISOString());

    const { removed, databases } = await cull(culler);
    assert.deepEqual(
      removed.map(({ name }) => name),
      backups.filter(({ manifest }) => manifest.pin === undefined).map(({ name }) => name),
    );
    assert.match(removed[0]?.reason ?? "", /as if there had been one each night since/);
    const kept = databases.map(({ database, keep }) => [database, keep.length]);
    assert.deepEqual(kept, [
      ["hets", 1],
      ["hets2", 2],
    ]);
  });

  it("is missed again once there was a backup of it after that", async () => {
    await using volume = await temporaryVolume();
    const [backup] = await fillVolume(volume.path, 1);
    await using culler = await start(volume.path);
    await culler.post({ retire: backup?.database, reason: "moved away" });
    assert.equal((await cull(culler, { dryRun: true })).databases[0]?.staleness, undefined);

    await writeRetirement(volume.path, backup?.database ?? "", "2020-01-01T00:00:00.000Z");

    assert.notEqual((await cull(culler, { dryRun: true })).databases[0]?.staleness, undefined);
  });
});

/** As if the retirement had been before the backup. */
async function writeRetirement(path: string, database: string, at: string): Promise<void> {
  await retiredDatabases(path).retire({ database, at: new Date(at), by: "ada", reason: "moved away" });
}
