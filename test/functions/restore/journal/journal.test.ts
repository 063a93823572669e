import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  nextStep,
  parseJournal,
  type JournalPhase,
  type NextStep,
  type RestoreJournal,
} from "../../../../functions/restore/journal/journal.ts";
import type { Strategy } from "../../../../functions/restore/plan/strategy.ts";
import { runDatabase } from "../../../../shared/postgres/databases/own-database.ts";

const RUN = "restore-0123456789abcdef01234567";

function journal(strategy: Strategy, phase: JournalPhase, changes: Partial<RestoreJournal> = {}) {
  const kept = strategy === "swap" || strategy === "undo" ? { kept: "hets__before_0123456789ab" } : {};
  const loaded = strategy === "in-place" ? "hets" : "hets__restore_0123456789ab";
  return { strategy, phase, database: "hets", source: "x", loaded, ...kept, ...changes };
}

/** What is there of the databases live, loaded and kept; `replaced` when the transaction in place was committed. */
const found = (there: string, underWay = true) => ({
  underWay,
  live: there.includes("live"),
  loaded: there.includes("loaded"),
  kept: there.includes("kept"),
  replaced: there.includes("replaced"),
});

type Row = readonly [Strategy, JournalPhase, there: string, mayGoOn: NextStep, mayNot: NextStep];

const ROWS: readonly Row[] = [
  // Nothing an application sees has changed.
  ["swap", "loading", "live", "again", "roll-back"],
  ["swap", "loading", "live loaded", "again", "roll-back"],
  ["swap", "loaded", "live loaded", "continue", "roll-back"],
  ["swap", "stopping", "live loaded", "continue", "roll-back"],
  ["swap", "swapping", "live loaded", "continue", "roll-back"],
  // The swap has happened, whatever the journal had time to say.
  ["swap", "swapping", "live kept", "finish", "finish"],
  ["swap", "starting", "live kept", "finish", "finish"],
  ["swap", "ended", "live kept", "finish", "finish"],
  // What was loaded has been dropped.
  ["swap", "loaded", "live", "roll-back", "roll-back"],
  ["swap", "swapping", "live", "roll-back", "roll-back"],
  ["swap", "rolling-back", "live loaded", "roll-back", "roll-back"],
  ["swap", "rolling-back", "live", "roll-back", "roll-back"],

  ["undo", "loaded", "live loaded", "continue", "roll-back"],
  ["undo", "stopping", "live loaded", "continue", "roll-back"],
  ["undo", "swapping", "live loaded", "continue", "roll-back"],
  ["undo", "swapping", "live kept", "finish", "finish"],
  ["undo", "starting", "live kept", "finish", "finish"],
  ["undo", "loaded", "live", "roll-back", "roll-back"],
  ["undo", "rolling-back", "live loaded", "roll-back", "roll-back"],

  // Its live database is what it loads: its journal tells, or what became of its transaction.
  ["in-place", "loaded", "live loaded", "again", "roll-back"],
  ["in-place", "stopping", "live loaded", "again", "roll-back"],
  ["in-place", "swapping", "live loaded", "again", "roll-back"],
  ["in-place", "swapping", "live loaded replaced", "finish", "finish"],
  ["in-place", "starting", "live loaded", "finish", "finish"],
  ["in-place", "ended", "live loaded", "finish", "finish"],
  ["in-place", "rolling-back", "live loaded", "roll-back", "roll-back"],

  ["rehearse", "loading", "live loaded", "again", "roll-back"],
  ["rehearse", "loaded", "live loaded", "again", "roll-back"],
  ["rehearse", "loaded", "live", "again", "roll-back"],
  ["rehearse", "ended", "live", "finish", "finish"],

  ["beside", "loading", "live", "again", "roll-back"],
  ["beside", "loaded", "live loaded", "again", "roll-back"],
  ["beside", "loaded", "live", "finish", "finish"],
  ["beside", "ended", "live", "finish", "finish"],
];

describe("what becomes of a restore that was killed", () => {
  for (const [strategy, phase, there, mayGoOn, mayNot] of ROWS) {
    it(`${strategy} in ${phase} with ${there}: ${mayGoOn}, and ${mayNot} when it may not go on`, () => {
      const killed = journal(strategy, phase);

      assert.equal(nextStep(killed, found(there), true), mayGoOn);
      assert.equal(nextStep(killed, found(there), false), mayNot);
    });
  }

  it("of a database that did not exist is known by the live one alone", () => {
    const first = { ...journal("swap", "swapping"), kept: undefined };

    assert.equal(nextStep(first, found("loaded"), true), "continue");
    assert.equal(nextStep(first, found("live"), false), "finish");
    assert.equal(nextStep(first, found(""), true), "roll-back");
  });

  it("is to touch nothing where the server says of no database that the run is under way", () => {
    for (const [strategy, phase, there, mayGoOn] of ROWS) {
      const next = nextStep(journal(strategy, phase), found(there, false), true);
      assert.equal(next, mayGoOn === "finish" ? "record-end" : "forget", `${strategy} ${phase} ${there}`);
    }
  });

  it("is to start what was stopped where the live database is gone, and with it what the server said", () => {
    for (const strategy of ["swap", "undo", "in-place"] as const)
      for (const phase of ["stopping", "swapping", "starting", "rolling-back"] as const)
        for (const there of ["", "loaded", "kept"])
          assert.equal(nextStep(journal(strategy, phase), found(there, false), true), "start");
    assert.equal(nextStep(journal("rehearse", "loaded"), found("", false), true), "forget");
  });

  it("is never to do once more what cannot be done once more", () => {
    for (const [strategy, phase, there] of ROWS) {
      const next = nextStep(journal(strategy, phase), found(there), true);
      if (next === "continue") assert.ok(found(there).loaded, `${strategy} ${phase} ${there}`);
    }
  });
});

describe("a journal", () => {
  it("is read as it was written, and is nothing where there is none", () => {
    const written = journal("swap", "stopping", {
      workloads: [{ kind: "deployment", name: "server", replicas: 2 }],
      downSince: "2026-11-25T20:00:00.000Z",
    });

    assert.deepEqual(parseJournal(JSON.parse(JSON.stringify(written))), written);
    assert.equal(parseJournal(undefined), undefined);
  });

  const bad: readonly (readonly [string, unknown])[] = [
    ["a phase that is none", { ...journal("swap", "loading"), phase: "dancing" }],
    ["a strategy that is none", { ...journal("swap", "loading"), strategy: "hope" }],
    [
      "fewer than no replicas",
      journal("swap", "loading", { workloads: [{ kind: "deployment", name: "a", replicas: -1 }] }),
    ],
    ["nothing in it", {}],
  ];
  for (const [what, value] of bad) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => parseJournal(value));
    });
  }
});

describe("the name of a run's database", () => {
  const names: readonly (readonly [string, string])[] = [
    ["hets", "hets__restore_0123456789ab"],
    ["", "__restore_0123456789ab"],
    ['a "quoted" name', 'a "quoted" name__restore_0123456789ab'],
    ["n".repeat(63), `${"n".repeat(41)}__restore_0123456789ab`],
    // No character is cut in two: 20 of two bytes, and one byte to spare.
    ["ü".repeat(31), `${"ü".repeat(20)}__restore_0123456789ab`],
    ["€".repeat(21), `${"€".repeat(13)}__restore_0123456789ab`],
    ["🐭".repeat(15), `${"🐭".repeat(10)}__restore_0123456789ab`],
  ];
  for (const [database, name] of names) {
    it(`is ${name} for ${JSON.stringify(database)}`, () => {
      assert.equal(runDatabase(database, "restore", RUN), name);
    });
  }

  it("fits PostgreSQL's 63 bytes, is whole UTF-8, and differs by role and run", () => {
    for (const unit of ["a", "ü", "€", "🐭"])
      for (let count = 1; count <= 63; count++) {
        const name = runDatabase(unit.repeat(count), "scratch", RUN);
        const bytes = new TextEncoder().encode(name);
        assert.ok(bytes.length <= 63, name);
        assert.equal(new TextDecoder("utf-8", { fatal: true }).decode(bytes), name);
      }
    const all = [
      runDatabase("hets", "restore", RUN),
      runDatabase("hets", "before", RUN),
      runDatabase("hets", "scratch", RUN),
      runDatabase("hets", "restore", "restore-ffffffffffffffffffffffff"),
    ];
    assert.equal(new Set(all).size, all.length);
  });
});
