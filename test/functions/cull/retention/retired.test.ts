import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { archiveName } from "../../../../shared/catalog/archive-name.ts";
import type { Backup } from "../../../../shared/catalog/backup.ts";
import type { CullContext, RetentionPolicy } from "../../../../shared/retention/retention-policy.ts";
import { planCatalog } from "../../../../functions/cull/retention/retention.ts";
import { aBackup, KEEP_NOTHING } from "../../../support/backups.ts";

const DAY_MS = 86_400_000;
const FIRST = Date.parse("2026-01-01T01:00:00Z");
const PIN = { at: "2026-11-22T02:00:00Z", by: "ada" };
/** Longer than any policy below keeps anything. */
const LONG_DAYS = 400 * 3 + 1;

const policies: fc.Arbitrary<RetentionPolicy> = fc
  .record({
    newest: fc.integer({ min: 1, max: 40 }),
    daily: fc.integer({ min: 0, max: 40 }),
    weekly: fc.integer({ min: 0, max: 6 }),
    monthly: fc.integer({ min: 0, max: 4 }),
    yearly: fc.integer({ min: 0, max: 2 }),
    withinDays: fc.integer({ min: 0, max: 40 }),
  })
  .map((counts) => ({ ...KEEP_NOTHING, ...counts, suspectDropPercent: 100 }));

/** By the days between them; every seventh with a pin. */
const histories = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 60 });

function backupsOf(database: string, steps: readonly number[]): Backup[] {
  let at = FIRST;
  return steps.map((days, index) => {
    at += days * DAY_MS + 60_000;
    return backup(database, new Date(at), index + 1, index % 7 === 6);
  });
}

function backup(database: string, startedAt: Date, sequence: number, isPinned = false): Backup {
  const name = archiveName(database, startedAt, sequence);
  return aBackup({ database, startedAt, name, sequence, ...(isPinned ? { pin: PIN } : {}) });
}

const endOf = (backups: readonly Backup[]) =>
  Math.max(...backups.map(({ startedAt }) => startedAt.getTime()));

function kept(backups: readonly Backup[], policy: RetentionPolicy, context: Partial<CullContext>) {
  const now = new Date(endOf(backups));
  const plans = planCatalog(backups, policy, { now, inUse: new Map(), odd: [], ...context });
  return plans.flatMap(({ keep }) => keep);
}
const namesOf = (all: ReturnType<typeof kept>) =>
  all.map(({ backup: { name } }) => name as string).toSorted();

/** As it is planned so many days after `hets` was retired. */
function retired(
  backups: readonly Backup[],
  policy: RetentionPolicy,
  days: number,
  more: Partial<CullContext> = {},
) {
  const at = new Date(endOf(backups) + 3_600_000);
  const retiredAt = (database: string) => (database === "hets" ? at : undefined);
  return kept(backups, policy, { now: new Date(at.getTime() + days * DAY_MS), retiredAt, ...more });
}

describe("the backups of a retired database", () => {
  it("are planned on that day as if it had not been retired", () => {
    fc.assert(
      fc.property(histories, policies, (steps, policy) => {
        const backups = backupsOf("hets", steps);
        assert.deepEqual(namesOf(retired(backups, policy, 0)), namesOf(kept(backups, policy, {})));
      }),
    );
  });

  it("stay at least as long as they would with a backup each night since", () => {
    const counts = new Set(["newest", "daily", "weekly", "monthly", "yearly", "within"]);
    fc.assert(
      fc.property(histories, policies, fc.integer({ min: 1, max: 150 }), (steps, policy, days) => {
        const backups = backupsOf("hets", steps);
        const nights = Array.from({ length: days }, (_, night) =>
          backup(
            "hets",
            new Date(endOf(backups) + 3_600_000 + (night + 1) * DAY_MS),
            steps.length + night + 1,
          ),
        );
        const now = new Date(endOf([...backups, ...nights]));
        const byCounts = kept([...backups, ...nights], policy, { now }).filter(({ reasons }) =>
          reasons.some(({ rule }) => counts.has(rule)),
        );

        const left = new Set(namesOf(retired(backups, policy, days)));

        for (const { backup: each } of byCounts)
          if (!nights.includes(each)) assert.ok(left.has(each.name), `${each.name} after ${days} days`);
      }),
    );
  });

  it("go bit by bit, whether a cull runs each day or once", () => {
    fc.assert(
      fc.property(histories, policies, fc.integer({ min: 1, max: 90 }), (steps, policy, days) => {
        const backups = backupsOf("hets", steps);
        const at = new Date(endOf(backups) + 3_600_000);
        let left = backups;
        for (let day = 0; day <= days && left.length > 0; day += 9) {
          const context = { now: new Date(at.getTime() + day * DAY_MS), retiredAt: () => at };
          const stayed = new Set(namesOf(kept(left, policy, context)));
          left = left.filter(({ name }) => stayed.has(name));
        }
        const last = Math.floor(days / 9) * 9;
        assert.deepEqual(
          left.map(({ name }) => name as string).toSorted(),
          namesOf(retired(backups, policy, last)),
        );
      }),
    );
  });

  it("are gone in the end, but for those that are pinned or needed by a run", () => {
    fc.assert(
      fc.property(histories, policies, fc.nat(), (steps, policy, pick) => {
        const backups = backupsOf("hets", steps);
        const used = backups[pick % backups.length]?.name ?? "";

        const left = retired(backups, policy, LONG_DAYS, { inUse: new Map([[used, "restore-1"]]) });

        const expected = backups.filter(({ name, manifest }) => manifest.pin !== undefined || name === used);
        assert.deepEqual(namesOf(left), expected.map(({ name }) => name as string).toSorted());
      }),
    );
  });

  it("take nothing of any other database with them", () => {
    fc.assert(
      fc.property(
        histories,
        histories,
        policies,
        fc.integer({ min: 0, max: LONG_DAYS }),
        (one, two, policy, days) => {
          const others = ["hets2", "het", "Hets"].flatMap((database) => backupsOf(database, two));
          const all = [...backupsOf("hets", one), ...others];

          const left = retired(all, policy, days).filter(({ backup: { database } }) => database !== "hets");

          assert.deepEqual(
            namesOf(left),
            namesOf(kept(others, policy, { now: new Date(endOf(all) + days * DAY_MS) })),
          );
        },
      ),
    );
  });

  it("stay where writers to the volume are not trusted", () => {
    const backups = backupsOf("hets", [1, 1, 1]);
    const policy = { ...KEEP_NOTHING, newest: 2, suspectDropPercent: 100 };

    assert.equal(retired(backups, policy, LONG_DAYS).length, 0);
    assert.equal(retired(backups, policy, LONG_DAYS, { retiredGo: false }).length, 2);
  });
});
