import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plainDumpScanner, type PlainDump } from "../../../shared/postgres/plain-dump/plain-dump.ts";

const DUMP = String.raw`--
-- Dumped from database version 15.18

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION app.f() RETURNS text
    LANGUAGE sql
    AS $$SELECT 'one; two'$$;
CREATE TABLE app.parent (
    a integer DEFAULT 1
);
CREATE TABLE app.child (
    b text DEFAULT 'x'::text
)
INHERITS (app.parent);
ALTER TABLE app.child OWNER TO someone;
SELECT pg_catalog.lo_create('16400');
ALTER LARGE OBJECT 16400 OWNER TO someone;
COPY app.child (b, "a") FROM stdin;
one	1
two	2
\.
COPY app.parent (a) FROM stdin;
7
\.
SELECT pg_catalog.setval('app.one_seq', 5, true);
SELECT pg_catalog.setval('app.two_seq', 1, false);
BEGIN;
SELECT pg_catalog.lo_open('16400', 131072);
SELECT pg_catalog.lowrite(0, '\x0102');
SELECT pg_catalog.lowrite(0, '\x03');
SELECT pg_catalog.lo_close(0);
SELECT pg_catalog.lo_open('16401', 131072);
SELECT pg_catalog.lo_close(0);
COMMIT;
GRANT SELECT ON TABLE app.child TO reader;
--
-- PostgreSQL database dump complete
--
`;

type Part = "schema" | "sequences" | "objects" | "rows";

const changes: readonly (readonly [string, string, readonly Part[]])[] = [
  ["15.18", "15.19", []],
  ["statement_timeout = 0", "statement_timeout = 1", []],
  ["one; two", "one; too", ["schema"]],
  ["DEFAULT 'x'", "DEFAULT 'y'", ["schema"]],
  ["OWNER TO someone;\nSELECT", "OWNER TO another;\nSELECT", ["schema"]],
  ["TO reader", "TO writer", ["schema"]],
  ["16400 OWNER TO someone", "16400 OWNER TO another", []],
  ["one\t1", "one\t2", ["rows"]],
  ["one\t1\ntwo\t2", "two\t2\none\t1", []],
  ["one_seq', 5, true", "one_seq', 6, true", ["sequences"]],
  ["one_seq', 5, true", "one_seq', 5, false", ["sequences"]],
  ["'app.two_seq'", "'app.too_seq'", ["sequences"]],
  ["\\x03", "\\x04", ["objects"]],
  ["lo_open('16400'", "lo_open('16402'", ["objects"]],
  [
    "'\\x0102');\nSELECT pg_catalog.lowrite(0, '\\x03'",
    "'\\x03');\nSELECT pg_catalog.lowrite(0, '\\x0102'",
    ["objects"],
  ],
];

describe("values of a script", () => {
  for (const [from, to, changed] of changes)
    it(`changes ${changed.join() || "nothing"} where ${JSON.stringify(from)} is ${JSON.stringify(to)}`, () => {
      assert.ok(DUMP.includes(from));
      const [before, after] = [scan(DUMP), scan(DUMP.replace(from, () => to))];
      const differing = (Object.keys(before) as Part[]).filter((part) => before[part] !== after[part]);
      assert.deepEqual(differing, changed);
    });

  it("is the same in whatever pieces the script comes", () => {
    for (const size of [1, 7, 64]) assert.deepEqual(scan(DUMP, size), scan(DUMP));
  });

  it("keeps the order of the columns of a table that inherits, and of no other", () => {
    const { tables } = dumpOf(DUMP);
    assert.deepEqual(
      tables.map(({ name, columns }) => [name, columns]),
      [
        ["child", ["b", "a"]],
        ["parent", undefined],
      ],
    );
  });

  it("hashes the columns of a table in the order that it is asked for", () => {
    const made = DUMP.replace('(b, "a")', '(a, "b")').replace("one\t1\ntwo\t2", "1\tone\n2\ttwo");
    const wanted = dumpOf(DUMP).tables;
    assert.notDeepEqual(dumpOf(made).tables[0]?.hash, wanted[0]?.hash);
    const inOrder = dumpOf(made, made.length, ({ name }) => (name === "child" ? ["b", "a"] : undefined));
    assert.deepEqual(
      inOrder.tables.map(({ hash }) => hash),
      wanted.map(({ hash }) => hash),
    );
  });
});

function scan(text: string, size = text.length): Record<Part, string> {
  const { tables, sequences, largeObjectsHash, schemaSha256 } = dumpOf(text, size);
  return {
    schema: schemaSha256,
    sequences: JSON.stringify(sequences),
    objects: largeObjectsHash,
    rows: JSON.stringify(tables),
  };
}

function dumpOf(
  text: string,
  size = text.length,
  ...columnsOf: Parameters<typeof plainDumpScanner>
): PlainDump {
  const scanner = plainDumpScanner(...columnsOf);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) scanner.push(bytes.subarray(at, at + size));
  return scanner.end();
}
