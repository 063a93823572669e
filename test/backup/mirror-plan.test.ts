import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planMirror } from "../../shared/backup/mirror-plan.ts";
import { aBackup, KEEP_NOTHING, type ManifestGiven } from "../support/backups.ts";

const day = (date: number, given: ManifestGiven = {}) =>
  aBackup({ startedAt: new Date(`2026-11-${date}T01:00:00Z`), sequence: date, ...given });
/** Number `sequence`, one of several of the 12th. */
const busy = (sequence: number, hour: number) =>
  aBackup({ startedAt: new Date(Date.UTC(2026, 10, 12, 1 + hour)), sequence });
const pin = { at: "2026-11-22T00:00:00.000Z", by: "test" };
const other = { bytes: Buffer.from("PGDMP of somebody else") };

describe("the plan of a mirror", () => {
  const table: Readonly<
    Record<
      string,
      {
        readonly local: readonly ReturnType<typeof day>[];
        readonly there?: readonly ReturnType<typeof day>[];
        readonly keep?: number;
        readonly daily?: number;
        readonly copy?: readonly number[];
        readonly rewrite?: readonly number[];
        readonly conflicts?: readonly number[];
      }
    >
  > = {
    "nothing for nothing": { local: [] },
    "everything, newest first, for an empty bucket": {
      local: [day(10), day(12), day(11)],
      copy: [12, 11, 10],
    },
    "nothing where all is there": { local: [day(10), day(11)], there: [day(11), day(10)] },
    "what is missing in between": {
      local: [day(10), day(11), day(12)],
      there: [day(12), day(10)],
      copy: [11],
    },
    "no more than the bucket keeps": { local: [day(10), day(11), day(12)], keep: 1, copy: [12] },
    "pinned ones beyond that": { local: [day(10, { pin }), day(11), day(12)], keep: 1, copy: [12, 10] },
    "one of each day that the bucket keeps, however many a busy day had": {
      local: [day(10), day(11), day(12), busy(13, 1), busy(14, 2), busy(15, 3)],
      there: [busy(13, 1), busy(14, 2)],
      keep: 2,
      daily: 2,
      copy: [15, 11],
    },
    "by sequence where the clock was set back": {
      local: [day(10, { sequence: 30 }), day(11), day(12)],
      keep: 1,
      copy: [30],
    },
    "the manifest alone where it changed": { local: [day(10, { pin })], there: [day(10)], rewrite: [10] },
    "no replacing of another backup": { local: [day(10)], there: [day(10, other)], conflicts: [10] },
    "nothing for what the bucket alone has": { local: [day(11)], there: [day(11), day(10)] },
  };
  for (const [name, given] of Object.entries(table)) {
    it(`asks for ${name}`, () => {
      const plan = planMirror(given.local, given.there ?? [], {
        keep: { ...KEEP_NOTHING, newest: given.keep ?? 31, daily: given.daily ?? 0 },
        now: new Date("2026-12-01T00:00:00Z"),
      });

      const sequences = Object.entries(plan).map(([key, found]) => [
        key,
        found.map(({ sequence }) => sequence),
      ]);
      assert.deepEqual(Object.fromEntries(sequences), {
        copy: given.copy ?? [],
        rewrite: given.rewrite ?? [],
        conflicts: given.conflicts ?? [],
      });
    });
  }
});
