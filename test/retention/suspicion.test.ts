import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { archiveName } from "../../shared/catalog/archive-name.ts";
import type { Backup } from "../../shared/catalog/backup.ts";
import { findSuspicion } from "../../shared/retention/suspicion.ts";
import { aBackup, aManifest, type ManifestGiven } from "../support/backups.ts";

const ACKNOWLEDGED = { at: "2026-11-22T02:00:00Z", by: "ada" };
const KIB = 1 << 10;

type Given = ManifestGiven & {
  readonly rows?: Readonly<Record<string, number>>;
  readonly sizeBytes?: number;
  readonly compression?: string;
};

/** One backup after the other, each a day later, with the sequence that its place gives unless one is given. */
function history(...given: readonly Given[]): Backup[] {
  return given.map(
    ({ rows = { t: 1_000 }, sizeBytes = 1_000 * KIB, compression = "zstd:1", ...rest }, index) => {
      const startedAt = new Date(Date.UTC(2026, 10, 1 + index, 1));
      const tables = Object.entries(rows).map(([name, count]) => ({ schema: "public", name, rows: count }));
      const archive = { ...aManifest().archive, sizeBytes, compression, ...rest.archive };
      const content = { databaseBytes: 1, tables, rows: 0, largeObjects: 0, extensions: [] };
      const name = archiveName("hets", startedAt);
      return aBackup({ sequence: index + 1, ...rest, startedAt, name, archive, content });
    },
  );
}

/** Of `t`, whose rows an operator or a caller had left out. */
const excluding = (by: "configuration" | "request" = "configuration") => ({
  rows: { u: 9 },
  excluded: { by, patterns: ["t"], tables: [{ schema: "public", name: "t", bytes: 1 }] },
});

const legacy = (sequence = 0) => ({
  sequence,
  archive: { ...aManifest().archive, format: "gzip-sql" as const, compression: "gzip" },
});

describe("suspicionOf", () => {
  const cases: readonly (readonly [string, Backup[], RegExp | undefined])[] = [
    ["one backup alone", history({}), undefined],
    ["a table that is left out now", history({ rows: { t: 1_000, u: 9 } }, excluding()), undefined],
    [
      "a table left out, and with it most of the size",
      history({ rows: { t: 1_000, u: 9 } }, { ...excluding(), sizeBytes: KIB }),
      undefined,
    ],
    [
      "a table that fell while another is left out",
      history({ rows: { t: 1_000, u: 900 } }, excluding()),
      /table public\.u has 9 rows instead of 900/,
    ],
    [
      "a table that fell meanwhile, once it is not left out any more",
      history({ rows: { t: 1_000, u: 9 } }, excluding("request"), excluding(), { rows: { t: 10, u: 9 } }),
      /table public\.t has 10 rows instead of 1000/,
    ],
    [
      "a table as large as before, once it is not left out any more",
      history({ rows: { t: 1_000, u: 9 } }, excluding(), { rows: { t: 1_000, u: 9 } }),
      undefined,
    ],
    ["the same as before", history({}, {}), undefined],
    ["more than before", history({}, { rows: { t: 5_000, new: 1 } }), undefined],
    ["half of the rows, which is not more than half", history({}, { rows: { t: 500 } }), undefined],
    [
      "less than half of the rows",
      history({}, { rows: { t: 499 } }),
      /table public\.t has 499 rows instead of 1000/,
    ],
    ["ten rows that became three", history({ rows: { t: 10 } }, { rows: { t: 3 } }), undefined],
    ["a small table emptied", history({ rows: { t: 99 } }, { rows: { t: 0 } }), undefined],
    [
      "a hundred rows gone of a hundred",
      history({ rows: { t: 100 } }, { rows: { t: 0 } }),
      /0 rows instead of 100/,
    ],
    [
      "a table gone that held one row",
      history({ rows: { t: 9, u: 1 } }, { rows: { t: 9 } }),
      /table public\.u with 1 rows is gone/,
    ],
    ["a table gone that was empty", history({ rows: { t: 9, u: 0 } }, { rows: { t: 9 } }), undefined],
    [
      "less than half of the size",
      history({}, { sizeBytes: 499 * KIB }),
      /archive has 510976 bytes instead of 1024000/,
    ],
    ["a small archive that shrank", history({ sizeBytes: 90 * KIB }, { sizeBytes: 30 * KIB }), undefined],
    ["another compression", history({}, { sizeBytes: 400 * KIB, compression: "gzip:1" }), undefined],
    ["a drop that was acknowledged", history({}, { rows: { t: 1 }, acknowledged: ACKNOWLEDGED }), undefined],
    [
      "a drop that stays in the next backups",
      history({}, { rows: { t: 1 } }, { rows: { t: 1 } }, { rows: { t: 2 } }),
      /2 rows instead of 1000/,
    ],
    ["a drop that was gone again", history({}, { rows: { t: 1 } }, {}), undefined],
    [
      "as little as in an earlier backup that was acknowledged",
      history({}, { rows: { t: 1 }, acknowledged: ACKNOWLEDGED }, { rows: { t: 1 } }),
      undefined,
    ],
    [
      "less again than what was acknowledged",
      history({}, { rows: { t: 500 }, acknowledged: ACKNOWLEDGED }, { rows: { t: 200 } }),
      /200 rows instead of 500/,
    ],
    ["slowly less", history({}, { rows: { t: 600 } }, { rows: { t: 400 } }, { rows: { t: 250 } }), undefined],
    [
      "slowly less, with those between culled",
      history({ sequence: 1 }, { sequence: 7, rows: { t: 300 } }, { sequence: 8, rows: { t: 300 } }),
      undefined,
    ],
    [
      "the first of ours against the last of the old pod",
      history(legacy(), { sequence: 1, rows: { t: 1 } }),
      /1 rows/,
    ],
    ["one of the old pod itself", history(legacy(), { ...legacy(), rows: { t: 1 } }), undefined],
    [
      "a drop behind which the old pod wrote once more",
      history({}, { rows: { t: 1 } }, { ...legacy(2), rows: { t: 1 } }, { sequence: 3, rows: { t: 1 } }),
      /1 rows instead of 1000/,
    ],
  ];
  for (const [what, backups, expected] of cases) {
    it(`says ${expected === undefined ? "nothing" : "that it is suspect"}: ${what}`, () => {
      const suspicion = findSuspicion(backups, 50);

      if (expected === undefined) assert.equal(suspicion, undefined);
      else {
        assert.equal(suspicion?.backup, backups.at(-1)?.name);
        assert.match(suspicion?.detail ?? "", expected);
      }
    });
  }

  it("compares over what lies damaged between, but not over what a cull took", () => {
    const backups = history({}, { sequence: 3, rows: { t: 1 } });
    const at = (day: string) => [{ minuteAt: new Date(`2026-11-${day}:00Z`) }];

    assert.equal(findSuspicion(backups, 50, at("01T12:00"))?.against, backups[0]?.name);
    assert.equal(findSuspicion(backups, 50, at("03T12:00")), undefined);
    assert.equal(findSuspicion(backups, 50), undefined);
  });

  it("names the backup that it compares with, and every drop as figures", () => {
    const backups = history({ rows: { t: 1_000, u: 5 } }, { rows: { t: 10 }, sizeBytes: 100 * KIB });

    assert.deepEqual(findSuspicion(backups, 50)?.drops, [
      { kind: "rows", table: "public.t", before: 1_000, now: 10 },
      { kind: "table_gone", table: "public.u", before: 5, now: 0 },
      { kind: "size", before: 1_000 * KIB, now: 100 * KIB },
    ]);
    assert.equal(findSuspicion(backups, 50)?.against, backups[0]?.name);
  });

  it("follows the threshold, and is silent at a hundred percent", () => {
    const backups = history({ rows: { t: 1_000, u: 5 } }, { rows: { t: 250 } });
    const small = history({ rows: { t: 1_000 } }, { rows: { t: 250 } });

    assert.deepEqual(
      [10, 74, 75, 99, 100].map((percent) => findSuspicion(small, percent) !== undefined),
      [true, true, false, false, false],
    );
    assert.equal(findSuspicion(backups, 99)?.drops.length, 1);
    assert.equal(findSuspicion(backups, 100), undefined);
  });
});
