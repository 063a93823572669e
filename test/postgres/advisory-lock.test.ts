import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
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
