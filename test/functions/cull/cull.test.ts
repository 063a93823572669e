import assert from "node:assert/strict";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { cull, cullEnvironment, daysOf, fillVolume } from "../../support/culled.ts";
import { preload } from "../../support/faulty.ts";
import { startFunction } from "../../support/function-process.ts";
import { readContent, temporaryVolume } from "../../support/volume.ts";

const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", ...changes }));

describe("the cull function", () => {
  it("removes what no rule keeps, oldest first, and says why each goes and stays", async () => {
    await using volume = await temporaryVolume();
    const backups = await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    assert.deepEqual(report.removed[0], {
      name: backups[0]?.name,
      database: "hets",
      sizeBytes: backups[0]?.sizeBytes,
      reason: "not among the newest 2, 2 daily",
    });
    assert.equal(report.bytesFreed, (backups[0]?.sizeBytes ?? 0) + (backups[1]?.sizeBytes ?? 0));
    assert.equal(report.kept, 2);
    assert.deepEqual(
      report.databases[0]?.keep.map(({ reasons }) => reasons.map(({ rule }) => rule)),
      [
        ["newest_verified", "newest", "daily"],
        ["newest", "daily"],
      ],
    );
    assert.deepEqual(await readdir(volume.path), [".dormouse", "2025-11-03", "2025-11-04"]);
  });

  it("shows the same plan on a dry run and removes nothing", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 5);
    await using culler = await start(volume.path);
    const before = await readContent(volume.path);

    const dry = await cull(culler, { dryRun: true });
    const unchanged = await readContent(volume.path);
    const real = await cull(culler);

    assert.deepEqual(unchanged, before);
    assert.deepEqual([dry.dryRun, dry.removed, dry.bytesFreed], [true, [], 0]);
    assert.deepEqual(dry.databases, real.databases);
    assert.deepEqual(daysOf(dry.databases[0]?.remove ?? []), daysOf(real.removed));
  });

  it("removes what a killed run has left, but not on a dry run", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 1);
    await writeFile(join(volume.path, "2025-11-01", ".tmp-backup-0123456789abcdef01234567-01234567"), "half");
    const aDayLater = { ...preload("clock-preload.ts"), DORMOUSE_TEST_CLOCK_OFFSET_MS: `${25 * 3_600_000}` };
    await using culler = await start(volume.path, aDayLater);
    const foreign = async (dryRun: boolean) => (await cull(culler, { dryRun })).foreignEntries;

    assert.deepEqual([await foreign(true), await foreign(true), await foreign(false)], [1, 1, 0]);
  });

  it("goes on with the next run where MAX_REMOVALS ended this one", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 5);
    await using culler = await start(volume.path, { MAX_REMOVALS: "2" });

    const reports = [await cull(culler), await cull(culler), await cull(culler)];

    assert.deepEqual(
      reports.map(({ removed, remaining }) => [daysOf(removed), daysOf(remaining)]),
      [
        [["11-01", "11-02"], ["11-03"]],
        [["11-03"], []],
        [[], []],
      ],
    );
  });

  it("keeps databases apart whose names hold one another, or dates", async () => {
    await using volume = await temporaryVolume();
    const names = ["app", "app2", "app-test", "app2025-11-01-01-00", "2025", "a/p%p"];
    for (const [index, database] of names.entries())
      await fillVolume(volume.path, 2 + index, () => ({ database }));
    await using culler = await start(volume.path);

    const report = await cull(culler);

    const catalog = await volume.catalog.list(new AbortController().signal);
    for (const [index, database] of names.entries()) {
      const left = catalog.backups.filter((backup) => backup.database === database);
      assert.deepEqual(
        left.map(({ sequence }) => sequence),
        [2 + index, 1 + index],
        database,
      );
      const plan = report.databases.find((each) => each.database === database);
      assert.deepEqual(daysOf(plan?.remove ?? []).length, index, database);
    }
  });

  it("never counts and never touches what is not a verified backup of ours", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path, { ADOPT_PER_RUN: "0" });
    const plan = (await cull(culler, { dryRun: true })).databases;
    const strangers = await addStrangers(volume.path);

    const report = await cull(culler);

    assert.deepEqual(report.databases, plan);
    assert.equal(report.foreignEntries + report.legacyFiles, strangers.length);
    const left = await readdir(volume.path, { recursive: true });
    for (const stranger of strangers) assert.ok(left.includes(stranger), stranger);
  });
});

/** One of each kind that a volume has been seen to hold. */
async function addStrangers(path: string): Promise<string[]> {
  const day = join(path, "2025-11-01");
  const bak = (minute: string) => `hets2025-11-01-${minute}.bak`;
  await mkdir(join(day, bak("02-00")));
  await symlink("/etc/hostname", join(day, bak("03-00")));
  await writeFile(join(day, bak("04-00")), "");
  await writeFile(join(day, bak("05-00")), "PGDMP and no manifest");
  await writeFile(join(day, bak("08-00")), gzipSync("no dump"));
  await writeFile(join(day, ".tmp-backup-1"), "half");
  await writeFile(join(path, "hets.bak"), "PGDMP");
  await mkdir(join(path, "other"));
  return [
    ...["02-00", "03-00", "04-00", "05-00"].map((minute) => `2025-11-01/${bak(minute)}`),
    `2025-11-01/${bak("08-00")}`,
    "2025-11-01/.tmp-backup-1",
    "hets.bak",
    "other",
  ];
}
