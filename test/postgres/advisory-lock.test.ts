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

    await lock.hold({ database: "one" }, never, async () => {
      await assert.rejects(
        lock.hold({ database: "one" }, never, async () => undefined),
        { code: "database_busy" },
      );
      assert.equal(await lock.hold({ database: "two" }, never, async () => "worked"), "worked");
    });

    assert.equal(await lock.hold({ database: "one" }, never, async () => "free again"), "free again");
  });

  it("tells which run holds it, and whether that is the same run in another process", async () => {
    const lock = advisoryLock(settingsOf(await sharedServer()));
    const attempt = (run: string) => lock.hold({ database: "known", run }, never, async () => undefined);

    await lock.hold({ database: "known", run: "backup-1" }, never, async () => {
      await assert.rejects(attempt("backup-2"), {
        code: "database_busy",
        message: 'backup-1 works on database "known"',
        hint: "wait for it: GET /runs/backup-1 tells how it stands",
      });
      await assert.rejects(attempt("backup-1"), { code: "run_elsewhere" });
    });
  });

  it("releases the lock when the work fails", async () => {
    const lock = advisoryLock(settingsOf(await sharedServer()));
    const fails = lock.hold({ database: "failing" }, never, () => Promise.reject(new Error("no luck")));

    await assert.rejects(fails, /no luck/);

    assert.equal(await lock.hold({ database: "failing" }, never, async () => "free"), "free");
  });

  it("is free once it is let go, also where the server is slow to see that the session has ended", async (test) => {
    const lock = advisoryLock(settingsOf(await sharedServer()));
    const sessions: pg.Client[] = [];
    test.mock.method(pg.Client.prototype, "end", async function (this: pg.Client) {
      sessions.push(this);
      await pause(60_000, undefined, { ref: false });
    });

    await lock.hold({ database: "slow" }, never, async () => undefined);
    test.mock.restoreAll();
    const next = await lock.hold({ database: "slow" }, never, async () => "free");

    for (const session of sessions) await session.end();
    assert.equal(next, "free");
  });

  it("tells the holder when its session ends, and lets the next one in", async () => {
    const server = await sharedServer();
    const lock = advisoryLock(settingsOf(server));

    await lock.hold({ database: "ended" }, never, async ({ lost }) => {
      const holders =
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted";
      await server.query("postgres", holders);
      while (!lost.aborted) await pause(10);

      assert.equal((lost.reason as { code?: string }).code, "connection_lost");
      assert.equal(await lock.hold({ database: "ended" }, never, async () => "mine now"), "mine now");
    });
  });
});
