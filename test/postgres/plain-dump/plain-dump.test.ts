import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { plainDumpScanner, type PlainDump } from "../../../shared/postgres/plain-dump/plain-dump.ts";

const DUMP = String.raw`--
-- PostgreSQL database dump
--

\restrict hG2kQ9

SET standard_conforming_strings = on;

CREATE FUNCTION app.note() RETURNS text
    LANGUAGE plpgsql
    AS $_$
BEGIN
  -- not a comment of the script
  RETURN 'COPY app.fake (a) FROM stdin;
\.
';
END; $_$;

COPY app.people (id, name) FROM stdin;
1	Ada
2	\\.
3	back\\slash and a tab\t
\.

COPY "Odd ""one""
line" (a) FROM stdin;
\.

COPY public.nothing  FROM stdin;


\.

SELECT pg_catalog.lo_open('16400', 131072);
SELECT pg_catalog.lowrite(0, '\x5c2e0a');
SELECT E'it''s \' a \\', 'plain \', "a;b", $$ ; $$ /* nested /* ; */ \! no */;

--
-- PostgreSQL database dump complete
--

\unrestrict hG2kQ9

`;

describe("plainDumpScanner", () => {
  it("counts the rows of each table and reads no data out of functions, literals and comments", () => {
    const dump = scan(DUMP);

    assert.deepEqual(counted(dump), [
      { schema: "app", name: "people", rows: 3 },
      { schema: "", name: 'Odd "one"\nline', rows: 0 },
      { schema: "public", name: "nothing", rows: 2 },
    ]);
    assert.equal(dump.largeObjects, 1);
    assert.equal(dump.plainBytes, Buffer.byteLength(DUMP));
    assert.deepEqual(dump.metaCommands, []);
    assert.equal(dump.isComplete, true);
  });

  it("finds the same in whatever pieces the dump arrives", () => {
    const whole = scan(DUMP);

    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        assert.deepEqual(scan(DUMP, sizes), whole);
      }),
    );
  });

  it("calls no beginning of a dump complete", () => {
    const end = DUMP.indexOf("\\unrestrict");

    for (let length = 0; length <= end; length++) {
      assert.equal(scan(DUMP.slice(0, length)).isComplete, false, `cut after ${length} bytes`);
    }
  });

  it("knows the end of a dump made before restrict keys", () => {
    const dump =
      "--\n-- PostgreSQL database dump\n--\nSELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n";

    assert.equal(scan(dump).isComplete, true);
    assert.equal(scan(`${dump}SELECT 2;\n`).isComplete, false);
    assert.equal(scan(`${dump}COPY a (b) FROM stdin;\n1\n`).isComplete, false);
  });

  it("finds the schema of tables in dumps that name it but once, up to PostgreSQL 10.2", () => {
    const copy = (table: string) => `COPY ${table} (a) FROM stdin;\n1\n\\.\n`;
    const old = `SET search_path = hire, pg_catalog;\n${copy("t")}SET search_path = "a, ""b""", pg_catalog;\n${copy("t")}`;

    const { tables } = scan(old + copy("public.t"));

    assert.deepEqual(
      tables.map(({ schema }) => schema),
      ["hire", 'a, "b"', "public"],
    );
  });

  const named: readonly (readonly [encoding: string, bytes: readonly number[], name: string])[] = [
    ["UTF8", [0xc3, 0x9f], "ß"],
    ["SQL_ASCII", [0xc3, 0x9f], "ß"],
    ["LATIN1", [0xdf], "ß"],
    ["LATIN9", [0xa4], "€"],
    ["WIN1252", [0x80], "€"],
    ["ISO_8859_5", [0xd6], "ж"],
    ["KOI8R", [0xd6], "ж"],
    ["EUC_JP", [0xc9, 0xbd], "表"],
    ["MULE_INTERNAL", [0x41], "A"],
  ];
  for (const [encoding, bytes, name] of named)
    it(`reads names in the encoding of the dump, which may be ${encoding}`, () => {
      const quoted = Buffer.concat([Buffer.from('"'), Buffer.from(bytes), Buffer.from('"')]).toString(
        "latin1",
      );
      const script = `-- x\n\nSET client_encoding = '${encoding}';\nCOPY a.${quoted} (b) FROM stdin;\n\\.\nALTER TABLE a.t OWNER TO ${quoted};\n`;

      for (const dump of [scan(Buffer.from(script, "latin1")), scan(Buffer.from(script, "latin1"), [1])]) {
        assert.deepEqual(counted(dump), [{ schema: "a", name, rows: 0 }]);
        assert.deepEqual(dump.needs.roles, [name]);
      }
    });

  it("takes no trailer out of the data, and no key that differs", () => {
    const forged =
      "\\restrict a1\nCOPY t (c) FROM stdin;\n-- PostgreSQL database dump complete\n\\unrestrict a1\n";

    assert.equal(scan(forged).isComplete, false);
    assert.equal(scan(DUMP.replace("\\unrestrict hG2kQ9", "\\unrestrict hG2kQ8")).isComplete, false);
  });

  const hostile: readonly (readonly [string, readonly string[]])[] = [
    ["\\! id\n", ["\\! id"]],
    ["SELECT 1 \\gexec\n", ["\\gexec"]],
    ["SELECT 'a' \\g |sh\n", ["\\g |sh"]],
    ["\\connect postgres\n", ["\\connect postgres"]],
    ["\\unrestrict `id`\n", ["\\unrestrict `id`"]],
    ["COPY t (c) FROM stdin;\n\\.\n\\copy t from program 'id'\n", ["\\copy t from program 'id'"]],
    ["COPY t (c) FROM stdin;\n\\! data, not a command\n\\.\n", []],
    ["SELECT $a$ \\! $b$ \\! $a$ \\! after\n", ["\\! after"]],
    ["SELECT x$a$ \\! in no quote\n", ["\\! in no quote"]],
    ["SELECT E'\\'' \\! after\n", ["\\! after"]],
    ["SELECT 'it''s \\' \\! after\n", ["\\! after"]],
    ["SELECT name'\\' \\! after\n", ["\\! after"]],
    ["-- comment \\! no\n/* \\! no */ SELECT 1; \\! yes\n", ["\\! yes"]],
  ];
  for (const [script, expected] of hostile) {
    it(`finds what psql would run in ${JSON.stringify(script)}`, () => {
      assert.deepEqual(scan(script).metaCommands, expected);
      assert.deepEqual(scan(script, [1]).metaCommands, expected);
    });
  }
});

function counted({ tables }: PlainDump) {
  return tables.map(({ schema, name, rows }) => ({ schema, name, rows }));
}

/** Scans `text`, or bytes, in pieces of the given sizes, over and over; whole when there are none. */
function scan(text: string | Buffer, sizes: readonly number[] = []): PlainDump {
  const scanner = plainDumpScanner();
  const bytes = Buffer.from(text);
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const size = sizes[piece % sizes.length] ?? bytes.length;
    scanner.push(bytes.subarray(at, at + size));
    at += size;
  }
  return scanner.end();
}
