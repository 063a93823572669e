import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { aBackup } from "../../../support/backups.ts";
import { backupsAt, daily, kept, NOW, PIN, plan, removed } from "../../../support/planned-cull.ts";

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

  it("orders by sequence, whatever the clock said", () => {
    const result = plan(backupsAt(["2026-11-05", "2026-11-04", "2026-11-03"]), { newest: 1 });

    assert.deepEqual(kept(result), ["2026-11-03 newest_verified,newest"]);
  });

  it("refuses to plan for a database with backups of another", () => {
    const others = [...daily(2), aBackup({ database: "hets2", startedAt: NOW })];

    assert.throws(() => plan(others, { newest: 1 }), { code: "internal", message: /hets2/ });
  });
});
