import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RetentionPolicy } from "../../../../shared/retention/retention-policy.ts";
import { backupsAt, kept, plan } from "../../../support/planned-cull.ts";

describe("a policy by the calendar", () => {
  /** What the calendar keeps: policy, the times of the backups, the days that stay, oldest first. */
  const calendars: readonly (readonly [string, Partial<RetentionPolicy>, string[], string[]])[] = [
    [
      "the last of each day, for days that have one",
      { daily: 2 },
      ["2026-11-01T01:00:00Z", "2026-11-01T13:00:00Z", "2026-11-05T01:00:00Z", "2026-11-09T01:00:00Z"],
      ["2026-11-05T01", "2026-11-09T01"],
    ],
    [
      "both backups of the doubled hour as one day",
      { daily: 2, timeZone: "America/Vancouver" },
      ["2025-11-01T18:00:00Z", "2025-11-02T08:30:00Z", "2025-11-02T09:30:00Z"],
      ["2025-11-01T18", "2025-11-02T09"],
    ],
    [
      "two days in Vancouver where UTC sees one",
      { daily: 2, timeZone: "America/Vancouver" },
      ["2025-11-10T07:00:00Z", "2025-11-10T09:00:00Z"],
      ["2025-11-10T07", "2025-11-10T09"],
    ],
    [
      "one day in UTC for the same two",
      { daily: 2 },
      ["2025-11-10T07:00:00Z", "2025-11-10T09:00:00Z"],
      ["2025-11-10T09"],
    ],
    [
      "the short day of spring as a day",
      { daily: 3, timeZone: "Europe/Berlin" },
      ["2026-03-28T22:30:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T22:30:00Z"],
      ["2026-03-28T22", "2026-03-29T01", "2026-03-29T22"],
    ],
    [
      "ISO week 53 as one week across the new year",
      { weekly: 2 },
      ["2026-12-27", "2026-12-28", "2026-12-31", "2027-01-01", "2027-01-03"],
      ["2026-12-27T01", "2027-01-03T01"],
    ],
    [
      "the leap day as a day of February",
      { monthly: 2 },
      ["2024-02-28", "2024-02-29", "2024-03-01"],
      ["2024-02-29T01", "2024-03-01T01"],
    ],
    [
      "months that have a backup, over those that have none",
      { monthly: 3 },
      ["2026-01-31", "2026-02-28", "2026-06-30", "2026-07-01", "2026-07-31"],
      ["2026-02-28T01", "2026-06-30T01", "2026-07-31T01"],
    ],
    [
      "the last of each year",
      { yearly: 2 },
      ["2023-12-31", "2024-06-01", "2024-12-31", "2025-01-01"],
      ["2024-12-31T01", "2025-01-01T01"],
    ],
    [
      "what lies within days of the newest, however long ago that was",
      { withinDays: 2 },
      ["2025-01-01T00:59:59Z", "2025-01-01T01:00:00Z", "2025-01-02T23:00:00Z", "2025-01-03T01:00:00Z"],
      ["2025-01-01T01", "2025-01-02T23", "2025-01-03T01"],
    ],
    [
      "a union of all, each counted for itself",
      { newest: 1, daily: 2, weekly: 2, monthly: 2, yearly: 2 },
      ["2025-12-31", "2026-10-31", "2026-11-15", "2026-11-20", "2026-11-21", "2026-11-22"],
      ["2025-12-31T01", "2026-10-31T01", "2026-11-15T01", "2026-11-21T01", "2026-11-22T01"],
    ],
  ];
  for (const [what, policy, times, expected] of calendars) {
    it(`keeps ${what}`, () => {
      const { keep } = plan(backupsAt(times), policy);

      assert.deepEqual(
        keep.map(({ backup }) => backup.startedAt.toISOString().slice(0, 13)).toReversed(),
        expected,
      );
    });
  }

  it("keeps what the example of the README says", () => {
    const nights = Array.from({ length: 83 }, (_, index) =>
      new Date(Date.UTC(2026, 8, 1 + index, 1)).toISOString(),
    );

    const result = plan(backupsAt(nights), { newest: 7, weekly: 4, monthly: 3 });

    assert.deepEqual(kept(result), [
      "2026-11-22 newest_verified,newest,weekly,monthly",
      ...["21", "20", "19", "18", "17", "16"].map((day) => `2026-11-${day} newest`),
      ...["2026-11-15", "2026-11-08", "2026-11-01"].map((day) => `${day} weekly`),
      "2026-10-31 monthly",
      "2026-09-30 monthly",
    ]);
    assert.equal(result.remove.length, 71);
  });
});
