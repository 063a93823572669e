import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rowHashCode } from "../../../scripts/row-hash.ts";
import { addHashes, copyRows } from "../../../shared/postgres/plain-dump/copy-rows.ts";
import { orderOf, rowsInOrder } from "../../../shared/postgres/plain-dump/rows-in-order.ts";
import { murmur128 } from "../../support/murmur.ts";

const SEED = 0x9747b28cn;

const row = fc
  .oneof(
    fc.uint8Array({ maxLength: 70 }).map((line) => line.map((byte) => (byte === 0x0a ? 0x20 : byte))),
    fc.constantFrom("", "\\", "\\.x", "\\..", ".", "\r", "\\\\.").map((text) => Buffer.from(text)),
  )
  .map((line) => Buffer.from(line))
  .filter((line) => !/^\\\.\r?$/.test(line.toString("latin1")));
const rowsOf = fc.array(row, { maxLength: 12 });

describe("copyRows", () => {
  it("hashes a row as the published MurmurHash3 x64 128 does", () => {
    const { h1, h2 } = murmur128(Buffer.from("The quick brown fox jumps over the lazy dog"), 0n);
    assert.deepEqual([h1, h2], [0xe34bbc7bbc071b6cn, 0x7a433ca9c49a9347n]);
    fc.assert(fc.property(row, (line) => assert.equal(read([line]).hash, expected([line]))));
  });

  it("adds the hashes up, whatever the pieces in which the rows come", () => {
    fc.assert(
      fc.property(rowsOf, fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), (lines, cuts) => {
        const { hash, count, rest } = read(lines, cuts);
        assert.deepEqual([hash, count, rest], [expected(lines), lines.length, "SELECT 1;"]);
      }),
    );
  });

  it("reads rows that are longer than what it looks at at once", () => {
    const long = Buffer.alloc((1 << 20) + 7, "long row ");
    assert.equal(read([long, long]).hash, expected([long, long]));
  });

  it("finds each row that is lost, doubled, altered or exchanged for another's value, and no other order", () => {
    const lines = ["1\ta", "2\tb", "3\tc"];
    const hash = textHash(lines);
    assert.equal(textHash(lines.toReversed()), hash);
    for (const others of [
      ["1\ta", "2\tb"],
      ["1\ta", "2\tb", "2\tb"],
      ["1\ta", "1\ta", "2\tb", "2\tb"],
      ["1\tb", "2\ta", "3\tc"],
      ["1\ta", "2\tb", "3\tC"],
      ["1\ta", "2\tb", "3\tc", ""],
      ["1\ta", "2\tb", "3\t\\N"],
    ])
      assert.notEqual(textHash(others), hash, others.join("|"));
    assert.notEqual(textHash(["x", "x", "y", "y"]), textHash(["z", "z", "y", "y"]));
  });

  it("adds what lies in several tables", () => {
    fc.assert(
      fc.property(rowsOf, rowsOf, (one, other) =>
        assert.equal(addHashes(read(one).hash, read(other).hash), expected([...one, ...other])),
      ),
    );
  });

  it("begins anew with each table", () => {
    const rows = copyRows();
    rows.begin();
    rows.read(Buffer.from("1\n2\nbroken off"), 0);
    rows.begin();
    rows.read(Buffer.from("3\n\\.\n"), 0);
    assert.deepEqual([rows.count(), rows.hash()], [1, textHash(["3"])]);
  });

  it("is the code that its source gives", async () => {
    const kept = await readFile("shared/postgres/plain-dump/row-hash-code.ts", "utf8");
    assert.equal(kept, await rowHashCode());
  });
});

describe("rowsInOrder", () => {
  it("hashes rows as if their columns stood in the wanted order", () => {
    const order = orderOf(["a", "b", "c"], ["c", "a", "b"]) ?? [];
    for (const size of [1, 3, 100]) {
      const rows = rowsInOrder(copyRows(), order);
      rows.begin();
      const text = Buffer.from("3\t1\tzwö\nc\ta\t\\N\n\\.\nSELECT", "utf8");
      let at = 0;
      while (!rows.isAtEnd()) at = rows.read(text.subarray(0, at + size), at);
      assert.deepEqual([rows.count(), text.toString("utf8", at)], [2, "SELECT"]);
      assert.equal(rows.hash(), textHash(["1\tzwö\t3", "a\t\\N\tc"]));
    }
  });

  it("moves nothing where the order is the same, or the columns are others", () => {
    assert.equal(orderOf(["a", "b"], ["a", "b"]), undefined);
    assert.equal(orderOf(["a", "b"], ["a", "c"]), undefined);
    assert.equal(orderOf(["a"], ["a", "b"]), undefined);
  });
});

function read(lines: readonly Buffer[], cuts: readonly number[] = []) {
  const end = Buffer.from("\\.\nSELECT 1;");
  const text = Buffer.concat([...lines.flatMap((line) => [line, Buffer.from("\n")]), end]);
  const rows = copyRows();
  rows.begin();
  let at = 0;
  for (const cut of [...cuts, text.length]) {
    const piece = text.subarray(at, at + cut);
    at += rows.read(Buffer.concat([Buffer.from("skipped"), piece]), 7) - 7;
    if (rows.isAtEnd()) break;
  }
  return { hash: rows.hash(), count: rows.count(), rest: text.toString("latin1", at) };
}

function textHash(lines: readonly string[]): string {
  return read(lines.map((line) => Buffer.from(line))).hash;
}

function expected(lines: readonly Uint8Array[]): string {
  const sum = lines
    .map((line) => murmur128(line, SEED))
    .reduce((all, { h1, h2 }) => all + (h2 << 64n) + h1, 0n);
  return BigInt.asUintN(128, sum).toString(16).padStart(32, "0");
}
