import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { suspectsIn } from "../../../functions/restore/find-wanted.ts";
import { aBackup, contentWith, type ManifestGiven } from "../../support/backups.ts";
import { aListing } from "../../support/restorables.ts";

const OWN = { namespace: "hets", system: "1" };
const OTHER = { namespace: "hets-test", system: "2" };
const nightOf = (day: number) => new Date(Date.UTC(2026, 10, day, 1));

/** One backup a night, as many rows as given, the first on the first. */
function nights(rows: readonly number[], given: (day: number) => ManifestGiven = () => ({})) {
  return rows.map((count, index) =>
    aBackup({
      startedAt: nightOf(index + 1),
      sequence: index + 1,
      content: contentWith(count),
      origin: OWN,
      ...given(index + 1),
    }),
  );
}

function suspects(backups: ReturnType<typeof nights>, dropPercent = 50): string[] {
  const found = suspectsIn(aListing({ backups }), { database: "hets", origin: OWN, dropPercent });
  return [...found.values()].map(
    ({ backup, against }) => `${backup.slice(8, 10)} against ${against.slice(8, 10)}`,
  );
}

describe("the suspect backups of a list", () => {
  it("are all since the loss, each against the last one before it that is not", () => {
    assert.deepEqual(suspects(nights([1_000, 1_000, 0, 0, 1_000, 200])), [
      "03 against 02",
      "04 against 02",
      "06 against 05",
    ]);
  });

  it("are no longer those that an operator acknowledged, nor those after them", () => {
    const acknowledged = { at: nightOf(9).toISOString(), by: "an operator" };
    const backups = nights([1_000, 0, 0, 0], (day) => (day === 3 ? { acknowledged } : {}));

    assert.deepEqual(suspects(backups), ["02 against 01"]);
  });

  it("are none with 100 percent", () => {
    assert.deepEqual(suspects(nights([1_000, 0]), 100), []);
  });

  it("are found by what their own installation took, and by their own database", () => {
    const others = nights([5_000, 5_000, 10], (day) => ({ origin: OTHER, startedAt: nightOf(day + 9) }));
    const small = nights([0, 0], (day) => ({ database: "reports", startedAt: nightOf(day + 19) }));

    assert.deepEqual(suspects([...nights([1_000, 900]), ...others, ...small]), ["12 against 11"]);
  });

  it("show a loss behind a damaged backup", () => {
    const [first, , third] = nights([1_000, 0, 0]);
    if (first === undefined || third === undefined) return assert.fail("there are three");
    const path = "2026-11-02/hets2026-11-02-01-00.bak.json";
    const foreign = [{ path, reason: "manifest_unreadable" as const, detail: "holds nothing" }];
    const among = { database: "hets", origin: OWN, dropPercent: 50 };

    assert.equal(suspectsIn(aListing({ backups: [first, third], foreign }), among).size, 1);
    assert.equal(suspectsIn(aListing({ backups: [first, third] }), among).size, 0);
  });
});
