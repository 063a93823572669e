import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serverError } from "../../../shared/postgres/session/server-errors.ts";

const refused = (message: string) =>
  serverError(Object.assign(new Error(message), { code: "42501" }), "counting");

describe("serverError", () => {
  it("tells a missing right from rows that a policy hides", () => {
    const right = refused("permission denied for table t");
    const policy = refused('query would be affected by row-level security policy for table "t"');

    assert.deepEqual([right.code, policy.code], ["permission_denied", "permission_denied"]);
    assert.match(right.hint ?? "", /pg_read_all_data/);
    assert.match(policy.hint ?? "", /BYPASSRLS/);
  });

  for (const message of ["something of a server's own", "Connection terminated unexpectedly"]) {
    it(`says how the server's log is read: ${message}`, () => {
      assert.match(
        serverError(new Error(message), "counting").hint ?? "",
        /kubectl logs .+pg_current_logfile/,
      );
    });
  }
});
