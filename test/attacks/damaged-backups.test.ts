import assert from "node:assert/strict";
import { appendFile, mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { cull, cullEnvironment, daysOf, fillVolume } from "../support/culled.ts";
import { problemIn } from "../support/faulty.ts";
import { startFunction } from "../support/function-process.ts";
import { contentWith } from "../support/backups.ts";
import { readContent, temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;

/** Six nights of one database, of which the last lost its rows, and four of another that has nothing to do with it. */
async function setUp(rows: (index: number) => number) {
  const volume = await temporaryVolume();
  const backups = await fillVolume(volume.path, 6, (index) => ({ content: contentWith(rows(index)) }));
  await fillVolume(volume.path, 4, () => ({ database: "other" }));
  const culler = await startFunction("cull", cullEnvironment(volume.path, { NUM_BACKUPS: "2" }));
  return {
    path: volume.path,
    culler,
    /** By its place from the oldest. */
    formatPath: (index: number) => join(volume.path, backups[index]?.name ?? assert.fail()),
    formatName: (index: number) => backups[index]?.name ?? assert.fail(),
    async refused() {
      const { refused, removed } = await cull(culler);
      const own = removed.filter(({ database }) => database === "hets");
      return { rules: refused.map(({ database, rule }) => `${database} ${rule}`), own: daysOf(own) };
    },
    left: async (database: string) =>
      daysOf((await volume.catalog.list(never)).backups.filter((each) => each.database === database)),
    async [Symbol.asyncDispose]() {
      await culler[Symbol.asyncDispose]();
      await volume[Symbol.asyncDispose]();
    },
  };
}

describe("a damaged backup of ours", () => {
  const kinds: Readonly<Record<string, (archive: string) => Promise<void>>> = {
    "whose manifest is no JSON": (archive) => writeFile(`${archive}.json`, "{ broken"),
    "whose manifest is empty": (archive) => truncate(`${archive}.json`),
    "whose manifest is of a later format": (archive) => writeFile(`${archive}.json`, '{"formatVersion":2}'),
    "whose archive was cut": (archive) => truncate(archive, 3),
    "whose archive grew": (archive) => appendFile(archive, "more"),
    "whose archive is gone": (archive) => rm(archive),
  };
  for (const [what, damage] of Object.entries(kinds))
    it(`${what} lifts no suspicion, and stops the cull of its database and of no other until it is acknowledged`, async () => {
      // The fifth is the last good one before the sixth, which lost the table's rows.
      await using given = await setUp((index) => (index === 5 ? 1 : 1_000));
      await damage(given.formatPath(4));
      const before = await readContent(given.path);

      const stopped = await given.refused();
      assert.deepEqual(stopped, { rules: ["hets newest_suspect"], own: [] });
      assert.deepEqual(await given.left("other"), ["11-04", "11-03"]);
      for (const [name, bytes] of Object.entries(await readContent(given.path)))
        assert.equal(bytes, before[name]);

      assert.equal((await given.culler.post({ acknowledge: given.formatName(5) })).status, 200);
      assert.deepEqual(await given.refused(), { rules: ["hets damaged"], own: [] });

      const { damage: known } = (await (
        await given.culler.post({ acknowledge: given.formatName(4) })
      ).json()) as {
        readonly damage: readonly { readonly path: string; readonly by: string }[];
      };
      assert.deepEqual(
        known.map(({ by }) => by),
        ["anyone"],
      );
      const going = await given.refused();
      assert.deepEqual(going.rules, []);
      assert.deepEqual(going.own, ["11-01", "11-02", "11-03"]);
    });

  it("that is acknowledged lifts no suspicion either", async () => {
    await using given = await setUp((index) => (index === 5 ? 1 : 1_000));
    await writeFile(`${given.formatPath(4)}.json`, "{");

    await given.culler.post({ acknowledge: given.formatName(4) });

    assert.deepEqual(await given.refused(), { rules: ["hets newest_suspect"], own: [] });
  });

  it("that changes after it was acknowledged stops the cull again", async () => {
    await using given = await setUp(() => 1_000);
    await truncate(given.formatPath(4), 3);
    await given.culler.post({ acknowledge: given.formatName(4) });

    await truncate(given.formatPath(4), 2);

    assert.deepEqual(await given.refused(), { rules: ["hets damaged"], own: [] });
  });

  it("is acknowledged in a folder of backup-container as well", async () => {
    await using given = await setUp(() => 1_000);
    const name = "daily/2024-03-05/postgresql-hets_2024-03-05_01-00-00.sql.gz";
    await fillVolume(given.path, 1, () => ({ name }));
    await truncate(join(given.path, name), 3);
    assert.deepEqual(await given.refused(), { rules: ["hets damaged"], own: [] });

    assert.equal((await given.culler.post({ acknowledge: name })).status, 200);

    assert.deepEqual((await given.refused()).rules, []);
  });

  it("is shown with its place and why by a dry run", async () => {
    await using given = await setUp(() => 1_000);
    await truncate(given.formatPath(4), 3);

    const { refused } = await cull(given.culler, { dryRun: true });

    assert.match(
      refused[0]?.detail ?? "",
      /^2025-11-05\/hets2025-11-05-01-00\.bak has 3 bytes, its manifest says/,
    );
  });
});

describe("what never was a backup of ours", () => {
  it("is no gap: it stops no cull, and is not touched", async () => {
    await using given = await setUp(() => 1_000);
    const day = join(given.path, "2025-11-05");
    await writeFile(join(day, "hets2025-11-05-02-00.bak"), "PGDMP without a manifest");
    await mkdir(join(day, "hets2025-11-05-03-00.bak"));
    await symlink("/etc/hostname", join(day, "hets2025-11-05-04-00.bak"));
    await writeFile(join(day, "notes.json"), "{ broken");

    assert.deepEqual(await given.refused(), { rules: [], own: ["11-01", "11-02", "11-03", "11-04"] });
  });

  it("cannot be acknowledged", async () => {
    await using given = await setUp(() => 1_000);
    const name = "2025-11-05/hets2025-11-05-02-00.bak";
    await writeFile(join(given.path, name), "PGDMP without a manifest");

    const problem = await problemIn(given.culler.post({ acknowledge: name }));

    assert.equal(problem.code, "backup_not_found");
  });
});
