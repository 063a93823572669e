import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inBothPlaces } from "../../shared/catalog/merged-catalog.ts";
import { aBackup, type ManifestGiven } from "../support/backups.ts";

const day = (date: number, given: ManifestGiven = {}) =>
  aBackup({ startedAt: new Date(`2026-11-${date}T01:00:00Z`), sequence: date, ...given });
const listing = (...backups: ReturnType<typeof day>[]) => ({ backups, legacy: [], foreign: [] });

describe("volume and bucket as one catalog", () => {
  it("lists where each backup lies, newest first", () => {
    const both = inBothPlaces(listing(day(12), day(11)), listing(day(12), day(10), day(13)));

    assert.deepEqual(
      both.backups.map(({ sequence, places }) => [sequence, places.join()]),
      [
        [13, "bucket"],
        [12, "volume,bucket"],
        [11, "volume"],
        [10, "bucket"],
      ],
    );
    assert.deepEqual(both.foreign, []);
  });

  it("is the volume alone without a bucket", () => {
    const both = inBothPlaces(listing(day(12)), undefined);

    assert.deepEqual(
      both.backups.map(({ places }) => places),
      [["volume"]],
    );
  });

  it("believes the volume where the bucket has another backup under the name, and reports it", () => {
    const mine = day(12);
    const both = inBothPlaces(listing(mine), listing(day(12, { bytes: Buffer.from("PGDMP other") })));

    assert.deepEqual(both.backups, [{ ...mine, places: ["volume"] }]);
    assert.deepEqual(
      both.foreign.map(({ path, place }) => [path, place]),
      [[mine.name, "bucket"]],
    );
  });
});
