import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mayNotSet } from "../../../shared/postgres/properties/role-rights.ts";
import { sharedServer } from "../../support/postgres.ts";

const OWN = ["TimeZone", "role", "statement_timeout"];
const OF_SUPERUSER = ["log_statement", "session_preload_libraries", "app.tenant"];

describe("the settings that a role may give to a database or a function", () => {
  it("are told apart as the server tells them apart", async () => {
    const server = await sharedServer();
    const sql = `CREATE ROLE setter_${process.pid}; SET ROLE setter_${process.pid}`;
    const client = await server.connect("postgres");
    try {
      await client.query(`BEGIN; ${sql}`);
      const { rows } = await client.query<{ name: string }>(
        `SELECT each AS name FROM unnest($1::text[]) each LEFT JOIN pg_settings s ON lower(s.name) = lower(each)
         WHERE ${mayNotSet("each", "s", server.major)} ORDER BY each`,
        [[...OWN, ...OF_SUPERUSER]],
      );

      assert.deepEqual(
        rows.map(({ name }) => name),
        OF_SUPERUSER.toSorted(),
      );
    } finally {
      await client.query("ROLLBACK");
      await client.end();
    }
  });

  it("are asked for by no function that a server before 15 does not have", () => {
    assert.match(mayNotSet("x", "s", 15), /has_parameter_privilege/);
    assert.doesNotMatch(mayNotSet("x", "s", 14), /privilege/);
  });
});
