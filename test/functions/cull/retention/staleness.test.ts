import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { archiveName } from "../../../../shared/catalog/archive-name.ts";
import type { Backup } from "../../../../shared/catalog/backup.ts";
import { findStaleness } from "../../../../functions/cull/retention/staleness.ts";
import { aBackup } from "../../../support/backups.ts";

const NOW = new Date("2026-11-22T12:00:00Z");

function backup(sequence: number, day: string): Backup {
  const startedAt = new Date(`${day}T01:00:00Z`);
  const name = archiveName("hets", startedAt, 1);
  return aBackup({ startedAt, name, sequence });
}

describe("the staleness of a database", () => {
  const cases: readonly (readonly [string, readonly Backup[], number, string | undefined])[] = [
    ["none within the hours", [backup(2, "2026-11-22"), backup(1, "2026-11-21")], 36, undefined],
    ["none at the very hour", [backup(1, "2026-11-22")], 11, undefined],
    ["beyond it", [backup(1, "2026-11-21")], 34, "2026-11-21/hets2026-11-21-01-00.bak"],
    [
      "not hidden by a stamp from the future",
      [backup(2, "2031-01-01"), backup(1, "2026-11-20")],
      36,
      "2026-11-20/hets2026-11-20-01-00.bak",
    ],
    ["none with 0 hours", [backup(1, "2020-01-01")], 0, undefined],
  ];
  for (const [what, backups, hours, newest] of cases) {
    it(`is ${what}`, () => {
      const found = findStaleness(backups, hours, NOW);

      assert.equal(found?.newest, newest);
      assert.equal(found === undefined, newest === undefined);
    });
  }

  it("reports how old the newest is, that none is good, or that there is none", () => {
    const old = findStaleness([backup(1, "2026-11-20")], 36, NOW);
    const none = findStaleness([backup(1, "2031-01-01")], 36, NOW);

    assert.match(old?.detail ?? "", /2026-11-20-01-00\.bak, is 59 hours old, and 36 are allowed/);
    assert.deepEqual(none, { detail: "each backup is stamped in the future" });
    assert.deepEqual(findStaleness([], 36, NOW), { detail: "there is no backup of it" });
    assert.equal(findStaleness([], 0, NOW), undefined);
  });
});
