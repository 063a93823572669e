import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { archiveName } from "../../../../shared/catalog/archive-name.ts";
import type { Backup } from "../../../../shared/catalog/backup.ts";
import type { RetentionPolicy } from "../../../../shared/retention/retention-policy.ts";
import { mayStillGo, planCull, type CullPlan } from "../../../../functions/cull/retention/retention.ts";
import { aBackup, contentWith, KEEP_NOTHING, type ManifestGiven } from "../../../support/backups.ts";

const NOW = new Date("2027-06-01T00:00:00Z");
const DAY_MS = 86_400_000;
const PIN = { at: "2026-11-22T02:00:00Z", by: "ada", reason: "the audit" };

function plan(
  backups: readonly Backup[],
  policy: Partial<RetentionPolicy>,
  inUse = new Map<string, string>(),
) {
  return planCull(backups, { ...KEEP_NOTHING, ...policy }, { database: "hets", now: NOW, inUse, odd: [] });
}

/** The first is the oldest; times may be days, or instants. */
function backupsAt(times: readonly string[], given: (index: number) => ManifestGiven = () => ({})): Backup[] {
  return times.map((time, index) => {
    const startedAt = new Date(time.length === 10 ? `${time}T01:00:00Z` : time);
    return aBackup({
      startedAt,
      name: archiveName("hets", startedAt, 1),
      sequence: index + 1,
      ...given(index),
    });
  });
}

/** One a day from the first of November 2026, 01:00 UTC. */
function daily(count: number, given: (index: number) => ManifestGiven = () => ({})): Backup[] {
  const from = Date.parse("2026-11-01T01:00:00Z");
  return backupsAt(
    Array.from({ length: count }, (_, index) => new Date(from + index * DAY_MS).toISOString()),
    given,
  );
}

/** `2026-11-22 daily,newest` for each that is kept, newest first. */
function kept({ keep }: CullPlan): string[] {
  return keep.map(({ backup, reasons }) => `${dayOf(backup)} ${reasons.map(({ rule }) => rule).join(",")}`);
}

function removed({ remove }: CullPlan): string[] {
  return remove.map(({ backup }) => dayOf(backup));
}

function dayOf({ startedAt }: Backup): string {
  return startedAt.toISOString().slice(0, 10);
}

const PARTIAL = { excluded: { by: "request" as const, patterns: ["*.*"], tables: [] } };

describe("planCull", () => {
  it("counts what lacks rows by a caller's wish by itself: it takes no other's place", () => {
    const result = plan(
      daily(6, (index) => (index > 2 ? PARTIAL : {})),
      { newest: 2 },
    );

    assert.deepEqual(kept(result), [
      "2026-11-06 newest",
      "2026-11-05 newest",
      "2026-11-03 newest_verified,newest",
      "2026-11-02 newest",
    ]);
    assert.deepEqual(removed(result), ["2026-11-01", "2026-11-04"]);
  });

  it("counts what lacks rows by the configuration as all others", () => {
    const excluded = { ...PARTIAL.excluded, by: "configuration" as const };
    const result = plan(
      daily(3, () => ({ excluded })),
      { newest: 2 },
    );

    assert.deepEqual(removed(result), ["2026-11-01"]);
  });

  it("keeps the newest so many, and lists the others oldest first with the reason", () => {
    const result = plan(daily(5), { newest: 3 });

    assert.deepEqual(kept(result), [
      "2026-11-05 newest_verified,newest",
      "2026-11-04 newest",
      "2026-11-03 newest",
    ]);
    assert.deepEqual(removed(result), ["2026-11-01", "2026-11-02"]);
    assert.equal(result.remove[0]?.reason, "not among the newest 3");
    assert.equal(result.refusal, undefined);
  });

  it("gives each backup every reason that keeps it", () => {
    const result = plan(
      daily(3, (index) => (index === 2 ? { pin: PIN } : {})),
      {
        newest: 1,
        daily: 2,
        yearly: 1,
      },
    );

    assert.deepEqual(result.keep[0]?.reasons, [
      { rule: "newest_verified", detail: "the newest that was read to its end" },
      { rule: "pinned", detail: "pinned by ada: the audit" },
      { rule: "newest", detail: "number 1 of the newest 1" },
      { rule: "daily", detail: "newest of 2026-11-03" },
      { rule: "yearly", detail: "newest of 2026" },
    ]);
    assert.equal(result.remove[0]?.reason, "not among the newest 1, 2 daily, 1 yearly");
  });

  describe("guarantees, whatever the policy says,", () => {
    const guarantees: readonly (readonly [string, Backup[], string[]])[] = [
      ["the newest verified backup", daily(3), ["2026-11-03 newest_verified"]],
      ["the only backup", daily(1), ["2026-11-01 newest_verified,only"]],
      [
        "a pinned backup",
        daily(3, (index) => (index === 0 ? { pin: PIN } : {})),
        ["2026-11-03 newest_verified", "2026-11-01 pinned"],
      ],
      [
        "the newest backup that a rehearsal has proved",
        daily(4, (index) => (index <= 1 ? { verification: { level: "compared", at: PIN.at } } : {})),
        ["2026-11-04 newest_verified", "2026-11-02 newest_compared"],
      ],
      [
        "what bears a stamp from the future, and the newest that does not",
        backupsAt(["2026-11-01", "2026-11-02", "2031-01-01"]),
        ["2031-01-01 newest_verified,future"],
      ],
    ];
    for (const [what, backups, expected] of guarantees) {
      it(`keeps ${what}`, () => {
        assert.deepEqual(kept(plan(backups, KEEP_NOTHING)), expected);
      });
    }

    it("keeps what an unfinished run needs", () => {
      const backups = daily(3);

      const result = plan(backups, { newest: 1 }, new Map([[backups[0]?.name ?? "", "restore-1"]]));

      assert.deepEqual(kept(result).at(-1), "2026-11-01 in_use");
      assert.equal(result.keep.at(-1)?.reasons[0]?.detail, "run restore-1 needs it");
    });

    it("removes nothing when the newest is suspect, and says against which and why", () => {
      const result = plan(
        daily(4, (index) => ({
          content: contentWith(index === 3 ? 400 : 1_000),
        })),
        { newest: 1 },
      );

      assert.deepEqual(removed(result), []);
      assert.deepEqual(kept(result).slice(1), [
        "2026-11-03 refused",
        "2026-11-02 refused",
        "2026-11-01 refused",
      ]);
      assert.equal(result.refusal?.rule, "newest_suspect");
      assert.match(
        result.refusal?.detail ?? "",
        /11-04.* is suspect against .*11-03.*400 rows instead of 1000/,
      );
    });

    it("counts a stamp from the future neither as newest nor as a day", () => {
      const result = plan(backupsAt(["2026-11-01", "2026-11-02", "2031-01-01"]), { newest: 1, daily: 1 });

      assert.deepEqual(kept(result), ["2031-01-01 newest_verified,future", "2026-11-02 newest,daily"]);
    });
  });

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

  it("orders by sequence, whatever the clock said", () => {
    const result = plan(backupsAt(["2026-11-05", "2026-11-04", "2026-11-03"]), { newest: 1 });

    assert.deepEqual(kept(result), ["2026-11-03 newest_verified,newest"]);
  });

  it("refuses to plan for a database with backups of another", () => {
    const others = [...daily(2), aBackup({ database: "hets2", startedAt: NOW })];

    assert.throws(() => plan(others, { newest: 1 }), { code: "internal", message: /hets2/ });
  });
});

describe("mayStillGo", () => {
  const [backup] = daily(1);
  const planned = backup ?? aBackup();
  const cases: readonly (readonly [string, Backup, Map<string, string>, RegExp | undefined])[] = [
    ["nothing has changed", planned, new Map(), undefined],
    ["it was pinned", { ...planned, manifest: { ...planned.manifest, pin: PIN } }, new Map(), /pinned/],
    ["a restore began", planned, new Map([[planned.name, "restore-1"]]), /restore-1/],
    ["its name was taken", { ...planned, sequence: 9 }, new Map(), /taken its name/],
  ];
  for (const [what, now, inUse, why] of cases) {
    it(`is asked before each removal: ${what}`, () => {
      const decision = mayStillGo(planned, now, inUse);

      assert.equal(decision.may, why === undefined);
      if (!decision.may) assert.match(decision.why, why ?? /^$/);
    });
  }
});
