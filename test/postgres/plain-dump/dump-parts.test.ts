import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { plainDumpScanner, type PlainDump } from "../../../shared/postgres/plain-dump/plain-dump.ts";

const DATABASE = String.raw`--
-- PostgreSQL database dump
--

\restrict aaa

CREATE TABLE public.t (a text);
ALTER TABLE public.t OWNER TO app;
COPY public.t (a) FROM stdin;
-- PostgreSQL database dump complete
-- PostgreSQL database cluster dump
\.

--
-- PostgreSQL database dump complete
--

\unrestrict aaa
`;
const ROLES = String.raw`
--
-- PostgreSQL database cluster dump
--

\restrict bbb

SET default_transaction_read_only = off;

CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER LOGIN PASSWORD 'it''s; -- PostgreSQL database cluster dump complete';
\! id

\unrestrict bbb

--
-- PostgreSQL database cluster dump complete
--

`;

function scan(script: string, pieces: readonly number[] = [script.length]): PlainDump {
  const scanner = plainDumpScanner();
  for (let at = 0, turn = 0; at < script.length; turn++) {
    const size = pieces[turn % pieces.length] ?? 1;
    scanner.push(Buffer.from(script.slice(at, at + size)));
    at += size;
  }
  return scanner.end();
}

describe("a dump with the roles of its server behind it", () => {
  it("is whole, ends where the roles begin, and knows nothing of them", () => {
    const alone = scan(DATABASE);
    const { rolesFrom, plainBytes, ...dump } = scan(DATABASE + ROLES);

    assert.deepEqual({ ...dump, rolesFrom: undefined, plainBytes: alone.plainBytes }, alone);
    assert.deepEqual([dump.isComplete, dump.needs.roles, dump.metaCommands], [true, ["app"], []]);
    assert.equal(plainBytes, (DATABASE + ROLES).length);
    assert.equal(rolesFrom, DATABASE.length);
  });

  it("is found the same in whatever pieces it arrives", () => {
    const whole = scan(DATABASE + ROLES);
    const pieces = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 30 });

    fc.assert(fc.property(pieces, (sizes) => assert.deepEqual(scan(DATABASE + ROLES, sizes), whole)));
  });

  it("is not whole where its roles are cut short", () => {
    const begin = DATABASE.length + ROLES.indexOf("cluster dump\n") + "cluster dump\n".length;
    const end = DATABASE.length + ROLES.lastIndexOf(" complete");
    for (let length = begin; length <= end; length++)
      assert.equal(scan((DATABASE + ROLES).slice(0, length)).isComplete, false, `cut after ${length} bytes`);
  });

  for (const [what, script] of [
    ["another statement behind them", `${DATABASE}${ROLES}SELECT 1;\n`],
    ["another statement before them", `${DATABASE}SELECT 1;\n${ROLES}`],
    ["a dump before them that is cut short", DATABASE.slice(0, DATABASE.indexOf("\\.")) + ROLES],
    ["nothing before them", ROLES],
  ] as const)
    it(`is not whole with ${what}`, () => assert.equal(scan(script).isComplete, false));

  it("ends with its closing comment in a release without restrict keys", () => {
    const script = (DATABASE + ROLES).replaceAll(/\\(?:un)?restrict \w+\n/g, "");

    const { isComplete, rolesFrom = 0 } = scan(script);

    assert.equal(isComplete, true);
    assert.match(script.slice(0, rolesFrom), /-- PostgreSQL database dump complete\n$/);
  });
});
