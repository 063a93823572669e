import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { advisoryLock, lockKey } from "../../../shared/postgres/session/advisory-lock.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";

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

  it("names the run that holds it, also if that is the same run in another process", async () => {
    const lock = advisoryLock(settingsOf(await sharedServer()));
    const attempt = (run: string) => lock.hold({ database: "known", run }, never, async () => undefined);

    await lock.hold({ database: "known", run: "backup-1" }, never, async () => {
      await assert.rejects(attempt("backup-2"), {
        code: "database_busy",
        message: 'backup-1 works on database "known"',
        hint: "wait for it: GET /runs/backup-1 shows how it stands",
      });
      await assert.rejects(attempt("backup-1"), { code: "run_superseded" });
    });
  });

  it("is given to a waiter before all that only try, however many", async () => {
    const server = await sharedServer();
    const lock = advisoryLock(settingsOf(server));
    const held: string[] = [];
    const trying = async (): Promise<void> => {
      try {
        await lock.hold({ database: "wanted" }, never, async () => void held.push("tried"));
      } catch {
        return trying();
      }
    };

    const { waiter, others } = await lock.hold({ database: "wanted", run: "backup-1" }, never, async () => {
      const queue = { forMs: 60_000, join: async (holder: unknown) => holder === "backup-1" };
      const waiting = lock.hold({ database: "wanted", queue }, never, async () => void held.push("waited"));
      while ((await queued(server, "wanted")) === 0) await pause(10);
      return { waiter: waiting, others: Array.from({ length: 5 }, trying) };
    });
    await Promise.all([waiter, ...others]);

    assert.deepEqual(held, ["waited", ...Array.from({ length: 5 }, () => "tried")]);
  });

  it("is waited for until the time is over, or the waiting is not wanted, and no longer", async () => {
    const server = await sharedServer();
    const lock = advisoryLock(settingsOf(server));
    const stop = new AbortController();
    const wait = (forMs: number, joins: boolean) =>
      lock.hold(
        { database: "busy", queue: { forMs, join: async () => joins } },
        stop.signal,
        async () => "in",
      );

    await lock.hold({ database: "busy", run: "backup-2" }, never, async () => {
      const busy = { code: "database_busy", message: 'backup-2 works on database "busy"' };
      await assert.rejects(wait(50, true), busy);
      await assert.rejects(wait(60_000, false), busy);
      const ended = assert.rejects(wait(60_000, true), /the pod goes/);
      while ((await queued(server, "busy")) === 0) await pause(10);
      stop.abort(new Error("the pod goes"));
      await ended;
      while ((await queued(server, "busy")) > 0) await pause(10);
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

  it("lets one holder at a time have what those of all databases share", async () => {
    const lock = advisoryLock(settingsOf(await sharedServer()));
    const order: string[] = [];
    const shared = (database: string) =>
      lock.hold({ database }, never, ({ alone }) =>
        alone(async () => {
          order.push(database);
          await pause(50);
          order.push(database);
        }),
      );

    await Promise.all(["one", "another", "third"].map(shared));

    const pairs = [0, 2, 4].map((at) => [order[at], order[at + 1]]);
    for (const [taken, given] of pairs) assert.equal(taken, given, order.join());
    assert.equal(order.length, 6);
  });

  it("aborts the holder when its session ends, and lets the next one in", async () => {
    const server = await sharedServer();
    const lock = advisoryLock(settingsOf(server));

    await lock.hold({ database: "ended" }, never, async ({ lost, alone }) => {
      const holders = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND (classid::bigint << 32) | objid::bigint = ${lockKey("ended")}`;
      await server.query("postgres", holders);
      while (!lost.aborted) await pause(10);

      assert.equal((lost.reason as { code?: string }).code, "connection_lost");
      const shared = alone(async () => assert.fail("it has the lock"));
      await assert.rejects(shared, { code: "connection_lost" });
      assert.equal(await lock.hold({ database: "ended" }, never, async () => "mine now"), "mine now");
    });
  });
});

async function queued(server: TestServer, database: string): Promise<number> {
  const sql = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND (classid::bigint << 32) | objid::bigint = ${lockKey(database)}`;
  return (await server.query("postgres", sql)).rows.length;
}
