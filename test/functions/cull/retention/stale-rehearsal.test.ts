import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findStaleRehearsal } from "../../../../functions/cull/retention/stale-rehearsal.ts";
import type { BackupManifest } from "../../../../shared/catalog/manifest.ts";
import { aBackup } from "../../../support/backups.ts";

const NOW = new Date("2026-11-30T12:00:00Z");
const at = (day: number) => `2026-11-${String(day).padStart(2, "0")}T05:00:00.000Z`;
const backup = (day: number, verification: BackupManifest["verification"]) =>
  aBackup({ startedAt: new Date(at(day)), verification });
const read = (day: number) => backup(day, { level: "read", at: at(day) });
const proved = (day: number, on: number) => backup(day, { level: "compared", at: at(on) });
const failed = (day: number) =>
  backup(day, { level: "read", at: at(day), failed: { run: "r", code: "values_differ", message: "m" } });

const cases: readonly (readonly [string, Parameters<typeof findStaleRehearsal>[0], RegExp | undefined])[] = [
  ["there was no rehearsal, and the first backup is old", [read(29), read(10)], /no rehearsal has proved/],
  ["there was no rehearsal, and all backups are young", [read(29), read(20)], undefined],
  ["there is no backup at all, which another alarm reports", [], undefined],
  ["an old backup was proved of late", [read(29), proved(2, 22)], undefined],
  ["the last proof is old", [read(29), proved(10, 11)], /was 19 days ago, and 15 are allowed$/],
  [
    "a wrong clock has stamped the only proof, or a writer to the volume",
    [backup(10, { level: "compared", at: "2031-01-01T00:00:00.000Z" })],
    /no rehearsal has proved/,
  ],
  ["counting is a proof of what it says", [backup(20, { level: "counted", at: at(21) })], undefined],
  [
    "the last one failed",
    [failed(29), proved(10, 11)],
    /19 days ago.*; the one of .* failed: values_differ$/,
  ],
];

describe("how long ago the last good rehearsal was", () => {
  for (const [what, backups, told] of cases)
    it(`is ${told === undefined ? "no alarm" : "reported"} where ${what}`, () => {
      const found = findStaleRehearsal(backups, 15, NOW);
      if (told === undefined) assert.equal(found, undefined);
      else assert.match(found?.detail ?? "", told);
    });

  it("is never reported with 0 days", () => {
    assert.equal(findStaleRehearsal([read(1)], 0, NOW), undefined);
  });
});
