import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plainDumpScanner } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import type { ArchiveNeeds } from "../../../shared/postgres/plain-dump/script-needs.ts";

const ROWS: readonly (readonly [script: string, needs: Partial<ArchiveNeeds>])[] = [
  ["ALTER TABLE public.t OWNER TO app;", { roles: ["app"] }],
  ['ALTER FUNCTION f(a integer, "OWNER TO x" text) OWNER TO App;', { roles: ["app"] }],
  ['ALTER SCHEMA "a b" OWNER TO "the ""old"" App";', { roles: ['the "old" App'] }],
  ["ALTER LARGE OBJECT 16400 OWNER TO größe;", { roles: ["größe"] }],
  ["alter table t owner to app", {}],
  ["ALTER TABLE t RENAME COLUMN owner TO somebody;", {}],
  ["ALTER TABLE t RENAME owner TO somebody;", {}],
  ["ALTER TABLE t OWNER TO CURRENT_USER;", {}],
  ['GRANT SELECT("to",b) ON TABLE public."to" TO reader WITH GRANT OPTION;', { roles: ["reader"] }],
  ['GRANT ALL ON FUNCTION f(a public."x TO y") TO PUBLIC;', {}],
  ['GRANT ALL ON TABLE t TO GROUP "old ones", b;', { roles: ["old ones", "b"] }],
  ["REVOKE ALL ON TABLE t FROM writer;\nREVOKE ALL ON TABLE t FROM PUBLIC;", { roles: ["writer"] }],
  ["ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA s GRANT SELECT ON TABLES TO b;", { roles: ["a", "b"] }],
  ["ALTER DEFAULT PRIVILEGES FOR ROLE a, c REVOKE ALL ON FUNCTIONS FROM PUBLIC;", { roles: ["a", "c"] }],
  ["CREATE POLICY p ON t FOR SELECT TO a, b USING (x = 'to c');", { roles: ["a", "b"] }],
  ["CREATE POLICY p ON t USING (true);", {}],
  ["CREATE USER MAPPING FOR a SERVER s OPTIONS (\"user\" 'b');", { roles: ["a"] }],
  ["CREATE ROLE a;\nCREATE USER b;\nALTER TABLE t OWNER TO a;\nGRANT ALL ON t TO b, c;", { roles: ["c"] }],
  ['CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;', { extensions: ["uuid-ossp"] }],
  ["CREATE EXTENSION postgis;\nCREATE EXTENSION postgis;", { extensions: ["postgis"] }],
  ["SET default_tablespace = fast;\nSET default_tablespace = '';", { tablespaces: ["fast"] }],
  ["-- ALTER TABLE t OWNER TO a;\n/* GRANT ALL ON t TO b; */ SELECT 1;", {}],
  ["COMMENT ON TABLE t IS 'x; ALTER TABLE t OWNER TO a; y';", {}],
  ["CREATE FUNCTION f() RETURNS void AS $$\nBEGIN\nALTER TABLE t OWNER TO a;\nEND $$;", {}],
  ["DO $x$ BEGIN CREATE EXTENSION postgis; GRANT ALL ON t TO a; END $x$;", {}],
  ["COPY t (a) FROM stdin;\nALTER TABLE t OWNER TO a;\nGRANT ALL ON t TO b;\n\\.\n", {}],
  ["CREATE VIEW v AS SELECT 1;\nALTER TABLE v ALTER COLUMN a SET DEFAULT 'OWNER TO b';", {}],
];

describe("what a script needs of a server", () => {
  for (const [script, needs] of ROWS)
    it(`is ${JSON.stringify(needs)} for ${JSON.stringify(script)}`, () => {
      const expected = { roles: [], extensions: [], tablespaces: [], ...needs };

      assert.deepEqual(needsIn(Buffer.from(script)), expected);
      assert.deepEqual(needsIn(Buffer.from(script), 1), expected);
    });

  it("is no name in another encoding, which nothing here could compare", () => {
    const script = Buffer.from("ALTER TABLE t OWNER TO größe;\nALTER TABLE t OWNER TO b;", "latin1");

    assert.deepEqual(needsIn(script).roles, ["b"]);
  });

  it("is at most a thousand names of each kind, whatever the script", () => {
    const script = Array.from({ length: 3_000 }, (_, n) => `ALTER TABLE t OWNER TO r${n};\n`).join("");

    assert.equal(needsIn(Buffer.from(script)).roles.length, 1_000);
  });
});

function needsIn(script: Uint8Array, piece = script.length): ArchiveNeeds {
  const scanner = plainDumpScanner();
  for (let at = 0; at < script.length; at += piece) scanner.push(script.subarray(at, at + piece));
  return scanner.end().needs;
}
