import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fillVolume } from "../../support/culled.ts";
import { temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const [HASH, OTHER] = ["0".repeat(32), "1".repeat(32)];
const table = (changes: object) => ({ schema: "public", name: "t", rows: 3, ...changes });

/** Tables of one backup after the other: each like the one before it but for one thing. */
const NIGHTS = [
  [table({})],
  [table({ rows: 4 })],
  [table({ rows: 4, hash: HASH })],
  [table({ rows: 4, hash: OTHER })],
  [table({ rows: 4, hash: OTHER, columns: ["a"] })],
  [table({ rows: 4, hash: OTHER, later: "a field of a newer version" })],
  [table({ schema: "other", rows: 4, hash: OTHER }), table({ name: "__proto__", rows: 4, hash: OTHER })],
];
const contentOf = (tables: readonly object[]) => ({
  databaseBytes: 1,
  tables: tables as { schema: string; name: string; rows: number }[],
  rows: 3,
  largeObjects: 0,
  extensions: [],
});

describe("a listing of many manifests", () => {
  it("gives each as it is written, however much they have alike", async () => {
    await using volume = await temporaryVolume();
    const written = await fillVolume(volume.path, NIGHTS.length, (index) => ({
      content: contentOf(NIGHTS[index] ?? []),
      settings: { TimeZone: index < 3 ? "UTC" : "America/Vancouver" },
    }));

    const { backups } = await volume.catalog.list(never);

    assert.deepEqual(backups.toReversed(), written);
  });

  it("keeps once what one backup has as the one before it", async () => {
    await using volume = await temporaryVolume();
    const properties = { lc_monetary: "C" };
    await fillVolume(volume.path, 2, () => ({ content: contentOf([table({})]), settings: properties }));

    const { backups } = await volume.catalog.list(never);

    const [one, other] = backups.map(({ manifest }) => manifest);
    assert.ok(one && other);
    assert.equal(one.content.tables[0], other.content.tables[0]);
    assert.equal(one.settings, other.settings);
    assert.notEqual(one.name, other.name);
  });

  for (const size of [16_383, 16_384, 16_385, 65_536, 300_000])
    it(`reads one of ${size} bytes to its end`, async () => {
      await using volume = await temporaryVolume();
      const [backup] = await fillVolume(volume.path, 1);
      assert.ok(backup);
      const path = join(volume.path, `${backup.name}.json`);
      const text = (await readFile(path, "utf8")).trimEnd();
      await writeFile(path, `${text.slice(0, -1).padEnd(size - 1)}}`);

      const { backups } = await volume.catalog.list(never);

      assert.deepEqual(backups, [backup]);
    });
});
