import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type pg from "pg";
import { withSession } from "../../../shared/postgres/session/connection.ts";
import { sharedServer } from "../../support/postgres.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";
import { tcpProxy } from "../../support/tcp-proxy.ts";

const never = new AbortController().signal;

describe("a session that the server ends", () => {
  const KINDS: Readonly<Record<string, (client: pg.Client, ended: Promise<unknown>) => Promise<unknown>>> = {
    "between two queries fails the next": (client, ended) => ended.then(() => client.query("SELECT 1")),
    "within a query fails that, also where its failure is heard late": async (client, ended) => {
      const [asked] = await Promise.allSettled([client.query("SELECT pg_sleep(600)"), ended]);
      if (asked.status === "rejected") throw asked.reason;
    },
  };
  for (const [kind, work] of Object.entries(KINDS))
    it(`${kind}, with what the server said, by which its kind is known`, async () => {
      const server = await sharedServer();
      const working = withSession(
        settingsOf(server),
        { database: "postgres", what: "the test" },
        never,
        async (client) => {
          const ended = new Promise((resolve) => client.once("end", resolve));
          const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
          await Promise.all([
            work(client, ended),
            server.query("postgres", `SELECT pg_terminate_backend(${rows[0]?.pid})`),
          ]);
        },
      );

      await assert.rejects(working, {
        code: "connection_lost",
        message: "the test failed: terminating connection due to administrator command",
      });
    });
});

describe("a session whose work is done", () => {
  it("does not wait for a server that the network has lost meanwhile", { timeout: 60_000 }, async () => {
    const server = await sharedServer();
    await using network = await tcpProxy(server.port);
    const settings = settingsOf(server, { port: network.port });

    const answer = await withSession(
      settings,
      { database: "postgres", what: "the test" },
      never,
      async () => {
        network.blackhole();
        return "done";
      },
    );

    assert.equal(answer, "done");
  });
});
