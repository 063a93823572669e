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

  for (const [what, error, code, hint] of [
    [
      "a proxy of a provider that takes no options",
      {
        message: "Feature not supported: RDS Proxy currently doesn\u2019t support command-line options.",
        code: "0A000",
      },
      "pooler_refused",
      /DATABASE_SERVICE_NAME and PGPORT/,
    ],
    [
      "a standby that takes no queries",
      {
        message: "the database system is not accepting connections",
        detail: "Hot standby mode is disabled.",
        code: "57P03",
      },
      "server_is_standby",
      /hot_standby=on/,
    ],
    [
      "a password that has expired",
      { message: 'password authentication failed for user "app"', code: "28P01" },
      "password_rejected",
      /VALID UNTIL/,
    ],
  ] as const)
    it(`knows ${what}`, () => {
      const known = serverError(Object.assign(new Error(error.message), error), "connecting");

      assert.equal(known.code, code);
      assert.match(known.hint ?? "", hint);
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
