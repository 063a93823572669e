import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Backup } from "../../../../shared/catalog/backup.ts";
import { contentWith, KEEP_NOTHING } from "../../../support/backups.ts";
import { backupsAt, daily, kept, PIN, plan, removed } from "../../../support/planned-cull.ts";

describe("a cull, whatever the policy says,", () => {
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
