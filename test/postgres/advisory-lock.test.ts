import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { advisoryLock } from "../../shared/postgres/advisory-lock.ts";
import { settingsOf } from "../support/postgres-adapter.ts";
import { sharedServer } from "../support/postgres.ts";

const never = new AbortController().signal;

describe("advisoryLock", () => {
  it("lets one run at a time work on a database, and others on other databases", async () => {
    const lock = advisoryLock(settingsOf(await sharedServer()));

    await lock.hold("one", never, async () => {
      await assert.rejects(
        lock.hold("one", never, async () => undefined),
        { code: "database_busy" },
      );
      assert.equal(await lock.hold("two", never, async () => "worked"), "worked");
    });

    assert.equal(await lock.hold("one", never, async () => "free again"), "free again");
  });

  it("releases the lock when the work fails", async () => {
    const lock = advisoryLock(settingsOf(await sharedServer()));
    const fails = lock.hold("failing", never, () => Promise.reject(new Error("no luck")));

    await assert.rejects(fails, /no luck/);

    assert.equal(await lock.hold("failing", never, async () => "free"), "free");
  });

  it("is free once it is let go, also where the server is slow to see that the session has ended", async (test) => {
    const lock = advisoryLock(settingsOf(await sharedServer()));
    const sessions: pg.Client[] = [];
    test.mock.method(pg.Client.prototype, "end", async function (this: pg.Client) {
      sessions.push(this);
      await pause(60_000, undefined, { ref: false });
    });

    await lock.hold("slow", never, async () => undefined);
    test.mock.restoreAll();
    const next = await lock.hold("slow", never, async () => "free");

    for (const session of sessions) await session.end();
    assert.equal(next, "free");
  });

  it("tells the holder when its session ends, and lets the next one in", async () => {
    const server = await sharedServer();
    const lock = advisoryLock(settingsOf(server));

    await lock.hold("ended", never, async ({ lost }) => {
      const holders =
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted";
      await server.query("postgres", holders);
      while (!lost.aborted) await pause(10);

      assert.equal((lost.reason as { code?: string }).code, "connection_lost");
      assert.equal(await lock.hold("ended", never, async () => "mine now"), "mine now");
    });
  });
});
