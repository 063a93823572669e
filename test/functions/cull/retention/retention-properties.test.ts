import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { archiveName } from "../../../../shared/catalog/archive-name.ts";
import { newestFirst, type Backup } from "../../../../shared/catalog/backup.ts";
import type { RetentionPolicy } from "../../../../shared/retention/retention-policy.ts";
import { planCatalog, type CullPlan } from "../../../../functions/cull/retention/retention.ts";
import { aBackup, contentWith, KEEP_NOTHING } from "../../../support/backups.ts";

const NOW = new Date("2027-06-01T00:00:00Z");
const PIN = { at: "2026-11-22T02:00:00Z", by: "ada", reason: "the audit" };

describe("the plans of random catalogs", () => {
  const DATABASES = ["app", "app2", "app-test", "app2026-01-01-00-00", "2026"] as const;

  const policies: fc.Arbitrary<RetentionPolicy> = fc.record({
    newest: fc.integer({ min: 1, max: 12 }),
    daily: fc.integer({ min: 0, max: 6 }),
    weekly: fc.integer({ min: 0, max: 4 }),
    monthly: fc.integer({ min: 0, max: 4 }),
    yearly: fc.integer({ min: 0, max: 3 }),
    withinDays: fc.integer({ min: 0, max: 40 }),
    timeZone: fc.constantFrom("UTC", "America/Vancouver", "Europe/Berlin", "Pacific/Kiritimati"),
    legacy: fc.boolean(),
    suspectDropPercent: fc.integer({ min: 1, max: 100 }),
    staleHours: fc.constantFrom(0, 36),
    rehearsalStaleDays: fc.constantFrom(0, 8),
  });

  /** Steps between backups may go backwards, as clocks do; rows may collapse. */
  const histories = fc.array(
    fc.record({
      stepMinutes: fc.oneof(fc.integer({ min: 1, max: 60 * 24 * 20 }), fc.integer({ min: -3_000, max: 0 })),
      level: fc.constantFrom("read", "read", "read", "compared" as const),
      isPinned: fc.boolean().map((value) => value),
      rows: fc.constantFrom(1_000, 1_000, 1_000, 900, 100),
      isAcknowledged: fc.boolean(),
      gap: fc.constantFrom(0, 0, 0, 3),
    }),
    { minLength: 1, maxLength: 40 },
  );

  const catalogs = fc
    .array(fc.tuple(fc.constantFrom(...DATABASES), histories), { minLength: 1, maxLength: 4 })
    .map((entries) => [...new Map(entries)].flatMap(([database, history]) => catalogOf(database, history)));

  const context = { now: NOW, inUse: new Map<string, string>(), odd: [] };
  const names = (plans: readonly CullPlan[]) =>
    plans.flatMap(({ remove }) => remove.map(({ backup }) => backup.name));

  it("never cost the newest verified backup, a pinned one, or one that a run needs", () => {
    fc.assert(
      fc.property(catalogs, policies, fc.nat(), (backups, policy, pick) => {
        const used = backups[pick % backups.length]?.name ?? "";
        const gone = new Set<string>(
          names(planCatalog(backups, policy, { ...context, inUse: new Map([[used, "r"]]) })),
        );

        assert.equal(gone.has(used), false);
        for (const backup of backups)
          if (backup.manifest.pin !== undefined) assert.ok(!gone.has(backup.name));
        for (const own of Map.groupBy(backups, ({ database }) => database).values()) {
          const newest = own.toSorted(newestFirst)[0];
          assert.ok(newest === undefined || !gone.has(newest.name));
          assert.ok(
            own.some(({ name }) => !gone.has(name)),
            "something always stays",
          );
        }
      }),
    );
  });

  it("keep at least as many backups as NUM_BACKUPS asks for, or all of them", () => {
    fc.assert(
      fc.property(catalogs, policies, (backups, policy) => {
        for (const { keep, remove } of planCatalog(backups, policy, context)) {
          assert.ok(keep.length >= Math.min(policy.newest, keep.length + remove.length));
        }
      }),
    );
  });

  it("say nothing more once they have been carried out", () => {
    fc.assert(
      fc.property(catalogs, policies, (backups, policy) => {
        const gone = new Set<string>(names(planCatalog(backups, policy, context)));
        const left = backups.filter(({ name }) => !gone.has(name));

        assert.deepEqual(names(planCatalog(left, policy, context)), []);
      }),
    );
  });

  it("are the same in whatever order the backups come", () => {
    fc.assert(
      fc.property(
        catalogs.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
        policies,
        ([backups, shuffled], policy) => {
          assert.deepEqual(planCatalog(shuffled, policy, context), planCatalog(backups, policy, context));
        },
      ),
    );
  });

  it("do not change for one database by what another one has", () => {
    fc.assert(
      fc.property(catalogs, policies, (backups, policy) => {
        for (const plan of planCatalog(backups, policy, context)) {
          const own = backups.filter(({ database }) => database === plan.database);
          assert.deepEqual(planCatalog(own, policy, context), [plan]);
          for (const { backup } of [...plan.keep, ...plan.remove])
            assert.equal(backup.database, plan.database);
        }
      }),
    );
  });

  it("account for every backup once", () => {
    fc.assert(
      fc.property(catalogs, policies, (backups, policy) => {
        const plans = planCatalog(backups, policy, context);
        const all = plans.flatMap(({ keep, remove }) =>
          [...keep, ...remove].map(({ backup }) => backup.name),
        );

        assert.deepEqual(all.toSorted(), backups.map(({ name }) => name).toSorted());
        for (const { keep } of plans) for (const { reasons } of keep) assert.notEqual(reasons.length, 0);
      }),
    );
  });

  it("take no day's last good backup because of others within one day, culled after each or all at once", () => {
    const extras = fc.array(fc.integer({ min: 0, max: 1_439 }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(catalogs, extras, fc.nat(), fc.integer({ min: 1, max: 12 }), (all, burst, pick, nights) => {
        const policy = { ...KEEP_NOTHING, newest: nights, daily: nights, suspectDropPercent: 100 };
        const model = all[pick % all.length] ?? aBackup();
        const busy = dayOf(model);
        const own = (of: readonly Backup[]) => of.filter(({ database }) => database === model.database);
        const last = Math.max(...own(all).map(({ sequence }) => sequence));
        const added = burst.map((minute, index) =>
          extra(
            model.database,
            new Date(Date.parse(`${busy}T00:00:00Z`) + minute * 60_000),
            last + 1 + index,
          ),
        );

        const atOnce = left([...all, ...added], policy);
        let oneByOne = left(all, policy);
        for (const backup of added) oneByOne = left([...oneByOne, backup], policy);

        const window = lastGood(own([...all, ...added])).slice(0, nights);
        for (const backup of window.filter((each) => dayOf(each) !== busy))
          for (const kept of [atOnce, oneByOne])
            assert.ok(kept.includes(backup), `${backup.name} is gone, ${nights} nights, busy ${busy}`);
        for (const { database, name } of left(all, policy))
          if (database !== model.database) assert.ok(atOnce.some((each) => each.name === name));
      }),
    );
  });

  const dayOf = ({ startedAt }: Backup) => startedAt.toISOString().slice(0, 10);

  function left(backups: readonly Backup[], policy: RetentionPolicy): Backup[] {
    const gone = new Set<string>(names(planCatalog(backups, policy, context)));
    return backups.filter(({ name }) => !gone.has(name));
  }

  /** The newest of each day, the last day first. */
  function lastGood(backups: readonly Backup[]): Backup[] {
    const byDay = Map.groupBy(backups.toSorted(newestFirst), dayOf);
    return [...byDay.keys()]
      .toSorted()
      .toReversed()
      .flatMap((day) => (byDay.get(day) ?? []).slice(0, 1));
  }

  let extras = 0;
  function extra(database: string, startedAt: Date, sequence: number): Backup {
    extras += 1;
    return aBackup({
      database,
      startedAt,
      name: archiveName(database, startedAt, 1_000 + extras),
      sequence,
    });
  }

  type Step = {
    readonly stepMinutes: number;
    readonly level: "read" | "compared";
    readonly isPinned: boolean;
    readonly rows: number;
    readonly isAcknowledged: boolean;
    readonly gap: number;
  };

  function catalogOf(database: string, history: readonly Step[]): Backup[] {
    let at = Date.parse("2025-01-01T00:00:00Z");
    let sequence = 0;
    return history.map((step, index) => {
      at += step.stepMinutes * 60_000;
      sequence += 1 + step.gap;
      const startedAt = new Date(at);
      return aBackup({
        database,
        startedAt,
        name: archiveName(database, startedAt, index + 1),
        sequence,
        verification: { level: step.level, at: PIN.at },
        content: contentWith(step.rows),
        // Few: where every other is pinned, a cull has little to do.
        ...(step.isPinned && index % 5 === 0 ? { pin: PIN } : {}),
        ...(step.isAcknowledged ? { acknowledged: PIN } : {}),
      });
    });
  }
});
