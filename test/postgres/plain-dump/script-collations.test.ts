import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plainDumpScanner } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import type { ScriptCollations } from "../../../shared/postgres/plain-dump/script-collations.ts";

const made = (what: string, provider: string, ...locales: string[]) => ({ what, provider, locales });

const ROWS: readonly (readonly [script: string, found: Partial<ScriptCollations>])[] = [
  [
    "CREATE COLLATION public.german (provider = libc, locale = 'de_DE.utf8');",
    { madeCollations: [made("COLLATION public.german", "libc", "de_DE.utf8")] },
  ],
  [
    "CREATE COLLATION public.mixed (provider = libc, lc_collate = 'C', lc_ctype = 'größe');",
    { madeCollations: [made("COLLATION public.mixed", "libc", "C", "größe")] },
  ],
  [
    `CREATE COLLATION "a.b"."C d" (provider = icu, deterministic = false, locale = 'und', rules = '&a<b');`,
    { madeCollations: [made('COLLATION "a.b"."C d"', "icu", "und")] },
  ],
  ['CREATE TABLE t (a text COLLATE pg_catalog."de_DE.utf8", b text);', { usedCollations: ["de_DE.utf8"] }],
  ['CREATE VIEW v AS SELECT a FROM t ORDER BY (a COLLATE "sv-x-icu");', { usedCollations: ["sv-x-icu"] }],
  [
    "CREATE INDEX i ON t USING btree (a COLLATE pg_catalog.UCS_basic DESC);",
    { usedCollations: ["ucs_basic"] },
  ],
  ['CREATE DOMAIN d AS text COLLATE "a ""b""";', { usedCollations: ['a "b"'] }],
  ["CREATE TABLE t (a text COLLATE public.german, b text COLLATE public . german);", {}],
  [
    "CREATE COLLATION german (provider = libc, locale = 'C');\nCREATE TABLE t (a text COLLATE german);",
    { madeCollations: [made("COLLATION german", "libc", "C")] },
  ],
  [
    `CREATE COLLATION s."A.größe" (provider = libc, locale = 'C');\nCREATE TABLE t (a text COLLATE "A.größe");`,
    { madeCollations: [made('COLLATION s."A.größe"', "libc", "C")] },
  ],
  [`CREATE TABLE t ("of COLLATE x" text DEFAULT 'COLLATE y', "lc_collate" int);`, {}],
  ["CREATE FUNCTION f() RETURNS int AS $$ SELECT 'a' COLLATE \"x\" $$;", {}],
  ["COPY t (a) FROM stdin;\nx COLLATE y\n\\.\n", {}],
];

describe("the collations of a script", () => {
  for (const [script, found] of ROWS)
    it(`are ${JSON.stringify(found)} in ${script}`, () => {
      const expected = { madeCollations: [], usedCollations: [], ...found };

      assert.deepEqual(collationsIn(Buffer.from(script)), expected);
      assert.deepEqual(collationsIn(Buffer.from(script), 1), expected);
    });
});

function collationsIn(script: Uint8Array, piece = script.length): ScriptCollations {
  const scanner = plainDumpScanner();
  for (let at = 0; at < script.length; at += piece) scanner.push(script.subarray(at, at + piece));
  const { madeCollations, usedCollations } = scanner.end().makes;
  return { madeCollations, usedCollations };
}
