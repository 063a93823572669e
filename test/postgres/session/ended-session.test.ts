import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withSession } from "../../../shared/postgres/session/connection.ts";
import { sharedServer } from "../../support/postgres.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";

const never = new AbortController().signal;

describe("a session that the server ends between two queries", () => {
  it("fails its next query with what the server said, by which its kind is known", async () => {
    const server = await sharedServer();
    const working = withSession(
      settingsOf(server),
      { database: "postgres", what: "the test" },
      never,
      async (client) => {
        const ended = new Promise((resolve) => client.once("end", resolve));
        const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        await server.query("postgres", `SELECT pg_terminate_backend(${rows[0]?.pid})`);
        await ended;
        await client.query("SELECT 1");
      },
    );

    await assert.rejects(working, {
      code: "connection_lost",
      message: "the test failed: terminating connection due to administrator command",
    });
  });
});
