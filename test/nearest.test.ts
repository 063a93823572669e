import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nearestNames } from "../shared/nearest.ts";
import { findRestorable } from "../functions/restore/plan/restorable.ts";
import { aBackup } from "./support/backups.ts";
import { aListing } from "./support/restorables.ts";

const at = (stamp: string) => `${stamp.slice(0, 10)}/hets${stamp}.bak`;
const NAMES = ["2026-11-23-01-00", "2026-11-22-13-07", "2026-11-22-01-00", "2026-11-21-01-00"].map(at);

describe("the nearest names", () => {
  const rows: readonly (readonly [wanted: string, nearest: string])[] = [
    [at("2026-11-22-01-05"), at("2026-11-22-01-00")],
    [at("2026-11-22-13-00"), at("2026-11-22-13-07")],
    ["hets2026-11-21.bak", at("2026-11-21-01-00")],
    ["2026-11-22", at("2026-11-22-13-07")],
    ["hets2026-11-23-0l-00.bak", at("2026-11-23-01-00")],
    ["hets2062-11-21-01-00", at("2026-11-21-01-00")],
    ["x".repeat(300), at("2026-11-23-01-00")],
  ];
  for (const [wanted, nearest] of rows) {
    it(`to ${wanted.slice(0, 40)} begin with ${nearest}`, () => {
      const found = nearestNames(wanted, NAMES);

      assert.equal(found[0], nearest);
      assert.equal(found.length, 3);
    });
  }

  it("are of that database alone when a backup is not found", () => {
    const backups = [
      aBackup({ startedAt: new Date("2026-11-22T01:00:00Z") }),
      aBackup({ database: "other", startedAt: new Date("2026-11-22T01:05:00Z") }),
    ];
    const wanted = "2026-11-22/hets2026-11-22-01-05.bak" as const;

    assert.throws(() => findRestorable(aListing({ backups }), "hets", { name: wanted }), {
      code: "backup_not_found",
      hint: "the nearest names are 2026-11-22/hets2026-11-22-01-00.bak; GET / lists all",
    });
  });
});
