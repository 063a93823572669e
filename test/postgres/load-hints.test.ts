import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainLoad } from "../../shared/postgres/load-tool.ts";

/** As pg_restore 15 writes them. */
const ROWS: readonly (readonly [said: string, typed: RegExp])[] = [
  ['role "clerk" does not exist', /^CREATE ROLE "clerk" NOLOGIN, then/],
  ['role "a "b"" does not exist', /^CREATE ROLE "a ""b""" NOLOGIN, then/],
  ['extension "postgis" is not available', /packages of the extension "postgis".+pg_available_extensions/],
  ['permission denied to create extension "adminpack"', /dryRun.+docs\/roles\.md/],
  ["must be owner of table item", /dryRun.+docs\/roles\.md/],
  ["could not extend file: No space left on device", /__before_/],
  ["could not write block 7 of file: Disk quota exceeded", /__before_/],
  ["something of a server's own", /kubectl logs .+pg_current_logfile/],
];

describe("a load that failed", () => {
  for (const [said, typed] of ROWS) {
    it(`says what to type or to check: ${said}`, () => {
      const stderr = [`pg_restore: error: could not execute query: ERROR:  ${said}`];
      assert.match(explainLoad("pg_restore", "hets", "it exited with 1", stderr).hint ?? "", typed);
    });
  }
});
