import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareRows, type TableCount } from "../../../shared/postgres/databases/compare-rows.ts";
import { DormouseError } from "../../../shared/errors.ts";

const table = (name: string, rows: number, schema = "hire") => ({ schema, name, rows });
const counted = (name: string, rows: number, isConfiguration = false): TableCount => ({
  ...table(name, rows),
  isConfiguration,
});

describe("the comparison of rows", () => {
  it("counts what it found equal", () => {
    const compared = compareRows(
      [table("owner", 2), table("none", 0)],
      [counted("none", 0), counted("owner", 2)],
    );

    assert.deepEqual(compared, { tables: 2, rows: 2, by: "counts" });
  });

  it("adds up a table whose rows come in several parts", () => {
    const compared = compareRows([table("owner", 2), table("owner", 3)], [counted("owner", 5)]);

    assert.deepEqual(compared, { tables: 1, rows: 5, by: "counts" });
  });

  it("lets a table of an extension have more than the dump, and never less", () => {
    assert.deepEqual(compareRows([table("spatial", 1)], [counted("spatial", 9, true)]), {
      tables: 1,
      rows: 1,
      by: "counts",
    });
    assert.throws(() => compareRows([table("spatial", 2)], [counted("spatial", 1, true)]), {
      code: "rows_differ",
    });
  });

  it("knows tables of one name in two schemas apart, and no separator joins them", () => {
    const expected = [table("b.c", 1, "a"), table("c", 2, "a.b")];
    const found = expected.map((each) => ({ ...each, isConfiguration: false }));

    assert.deepEqual(compareRows(expected, found), { tables: 2, rows: 3, by: "counts" });
    assert.throws(() => compareRows(expected, found.slice(0, 1)), { code: "rows_differ" });
  });

  it("does not mind a table that the dump does not have", () => {
    assert.deepEqual(compareRows([], [counted("newer", 7)]), { tables: 0, rows: 0, by: "counts" });
  });

  it("names what differs, five tables at most", () => {
    const names = ["a", "b", "c", "d", "e", "f", "g"];

    const compare = () =>
      compareRows(
        names.map((name) => table(name, 2)),
        names.slice(1).map((name) => counted(name, 1)),
      );

    assert.throws(compare, (error: unknown) => {
      assert.ok(error instanceof DormouseError);
      assert.match(error.message, /hire\.a is missing; hire\.b has 1 rows instead of 2/);
      assert.match(error.message, /hire\.e .* and 2 more$/);
      return true;
    });
  });
});
