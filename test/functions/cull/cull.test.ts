import assert from "node:assert/strict";
import { execa } from "execa";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { archiveName } from "../../../shared/catalog/archive-name.ts";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import { cull, cullEnvironment, daysOf, DAY_MS, fillVolume, FIRST_AT } from "../../support/culled.ts";
import { startFunction } from "../../support/function-process.ts";
import { sharedServer } from "../../support/postgres.ts";
import { createSample } from "../../support/sample-database.ts";
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

  it("adopts legacy files that prove whole, so many a run, and reports those that do not", async () => {
    await using volume = await temporaryVolume();
    await using old = await oldPod();
    const { bytes } = old;
    const put = async (day: number, content: Uint8Array) => {
      const name = archiveName("hets", new Date(FIRST_AT.getTime() + day * DAY_MS));
      await mkdir(join(volume.path, name, ".."), { recursive: true });
      await writeFile(join(volume.path, name), content);
      return name;
    };
    const names = [await put(0, bytes), await put(1, bytes), await put(2, bytes)];
    const cutShort = await put(3, bytes.subarray(0, 50));
    await fillVolume(volume.path, 1, () => ({ startedAt: new Date(FIRST_AT.getTime() + 9 * DAY_MS) }));
    await using culler = await start(volume.path, {
      ADOPT_PER_RUN: "3",
      SUSPECT_DROP_PERCENT: "100",
      CULL_LEGACY: "true",
    });

    const first = await cull(culler);
    const second = await cull(culler);
    const third = await cull(culler);

    assert.deepEqual([first.removed, first.adoption?.adopted], [[], [names[2], names[1]]]);
    assert.deepEqual(first.adoption?.damaged, [
      { name: cutShort, why: "is no whole gzip file: unexpected end of file" },
    ]);
    assert.equal(first.adoption?.waiting, 1);
    // Two adopted and one of ours are three: the oldest goes. The last legacy file is adopted, to go with the next run.
    assert.deepEqual([daysOf(second.removed), second.adoption?.adopted], [["11-02"], [names[0]]]);
    assert.deepEqual([daysOf(third.removed), third.adoption?.waiting], [["11-01"], 0]);
    const { backups, legacy } = await volume.catalog.list(new AbortController().signal);
    assert.deepEqual(daysOf(backups), ["11-10", "11-03"]);
    assert.deepEqual(
      legacy.map(({ name }) => name),
      [cutShort],
    );
    assert.equal(await old.restore(backups[1]?.manifest, volume.path), 200);
  });
});

describe("files of the old pod", () => {
  it("stay when they were adopted, take no place of ours, and a dry run shows what would go", async () => {
    await using volume = await temporaryVolume();
    const dump = gzipSync(
      "--\n-- PostgreSQL database dump\n--\nSET x = 1;\n--\n-- PostgreSQL database dump complete\n--\n",
    );
    for (let day = 0; day < 5; day++) {
      const name = archiveName("hets", new Date(FIRST_AT.getTime() + day * DAY_MS));
      await mkdir(join(volume.path, name, ".."), { recursive: true });
      await writeFile(join(volume.path, name), dump);
    }
    await fillVolume(volume.path, 1, () => ({ startedAt: new Date(FIRST_AT.getTime() + 9 * DAY_MS) }));
    await using culler = await start(volume.path);

    const first = await cull(culler, { dryRun: true });
    await cull(culler);
    const adopted = await cull(culler);
    const dry = await cull(culler, { dryRun: true });
    await using bold = await start(volume.path, { CULL_LEGACY: "true" });
    const went = await cull(bold);

    for (const report of [first, dry]) {
      assert.deepEqual(daysOf(report.withCullLegacy?.remove ?? []), ["11-01", "11-02", "11-03", "11-04"]);
      assert.equal(report.withCullLegacy?.kept, 1);
    }
    assert.deepEqual([adopted.removed, adopted.kept], [[], 6]);
    assert.deepEqual(
      adopted.databases[0]?.keep.at(-1)?.reasons.map(({ rule }) => rule),
      ["legacy"],
    );
    assert.deepEqual(daysOf(went.removed), ["11-01", "11-02", "11-03", "11-04"]);
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

/** A database, and what the old pod would have made of it. */
async function oldPod() {
  const server = await sharedServer();
  const database = await server.createDatabase();
  const client = await server.connect(database);
  await createSample(client);
  await client.end();
  const env = {
    PATH: `${server.binDir}:${process.env["PATH"]}`,
    PGHOST: server.host,
    PGPORT: `${server.port}`,
    PGUSER: server.user,
    PGPASSWORD: server.password,
  };
  const { stdout } = await execa(`${server.binDir}/pg_dump`, [database], { env, encoding: "buffer" });
  return {
    bytes: gzipSync(stdout),
    /** By the command of the manifest; answers with the number of owners. */
    async restore(manifest: BackupManifest | undefined, cwd: string): Promise<number | undefined> {
      await execa("sh", ["-c", manifest?.restoreByHand ?? "false"], { cwd, env });
      const sql = "SELECT count(*)::int AS count FROM hire.owner";
      const { rows: found } = await server.query("hets_restored", sql);
      await server.dropDatabase("hets_restored");
      return (found as { count: number }[])[0]?.count;
    },
    [Symbol.asyncDispose]: () => server.dropDatabase(database),
  };
}
