import assert from "node:assert/strict";
import { execa } from "execa";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { DormouseError } from "../../shared/errors.ts";
import { openLibpq } from "../../shared/postgres/session/libpq.ts";
import { setDumpStage, type DumpStage } from "../support/dump-stage.ts";
import { dumpSessions, until } from "../support/faulty.ts";
import { collect, settingsOf } from "../support/postgres-adapter.ts";
import type { TestServer } from "../support/postgres.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";

describe("the process of a dump", () => {
  let stage: DumpStage;
  let server: TestServer;
  let database: string;
  before(async () => {
    stage = await setDumpStage();
    ({ server, database } = stage);
  });
  after(() => stage[Symbol.asyncDispose]());

  it("ends an unread dump with the run that it was started for", async () => {
    const holder = await server.connect(database);
    await holder.query("BEGIN; LOCK TABLE wide IN ACCESS EXCLUSIVE MODE");
    const ended = new AbortController();

    stage.dump({ signal: ended.signal });
    await until(async () => (await dumpSessions(stage)).length === 1);
    ended.abort(new DormouseError("interrupted", "the run has ended"));

    await until(async () => (await dumpSessions(stage)).length === 0);
    await holder.end();
  });

  it("tells a wrong password, an unknown database and a silent port apart", async () => {
    await using wrong = await openLibpq(settingsOf(server, { password: "s3cret-and-wrong" }));
    await using closed = await openLibpq(settingsOf(server, { port: 1 }));

    await Promise.all([
      assert.rejects(collect(stage.dump({ libpq: wrong })), {
        code: "password_rejected",
        message: /^(?!.*s3cret)/s,
      }),
      assert.rejects(collect(stage.dump({ database: "no such database" })), { code: "database_not_found" }),
      assert.rejects(collect(stage.dump({ libpq: closed })), { code: "server_unreachable" }),
    ]);
  });

  it("fails with what happened when the backend is ended in the middle", async () => {
    const iterator = stage.dump()[Symbol.asyncIterator]();
    await iterator.next();
    const others =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    await server.query("postgres", others, [database]);

    await assert.rejects(drain(iterator), { code: "connection_lost" });
  });

  it("fails when pg_dump is killed in the middle", async () => {
    const iterator = stage.dump()[Symbol.asyncIterator]();
    await iterator.next();
    for (const pid of await childrenNamed("pg_dump")) process.kill(pid, "SIGKILL");

    await assert.rejects(drain(iterator), /pg_dump failed .*SIGKILL/);
  });

  it("ends pg_dump when the run is aborted, and says why", async () => {
    const controller = new AbortController();
    const iterator = stage.dump({ signal: controller.signal })[Symbol.asyncIterator]();
    await iterator.next();
    controller.abort(new Error("told to stop"));

    await assert.rejects(drain(iterator), /told to stop/);
    await until(async () => (await childrenNamed("pg_dump")).length === 0);
  });

  it("gives up on a table that is locked exclusively", async () => {
    const holder = await server.connect(database);
    await holder.query("BEGIN; LOCK TABLE wide IN ACCESS EXCLUSIVE MODE");
    try {
      await assert.rejects(collect(stage.dump({ options: { lockWaitMs: 200 } })), { code: "lock_timeout" });
    } finally {
      await holder.end();
    }
  });

  it("gives up on a server that falls silent, and on a dump that takes too long", async () => {
    let passed = 0;
    // In the middle of the rows.
    const answered = (bytes: Buffer) => (passed += bytes.length) < 2_000_000;
    await using proxy = await tcpProxy(server.port, () => ({ sent: () => true, answered }));
    await using libpq = await openLibpq(settingsOf(server, { port: proxy.port }));

    const stalling = stage.dump({ libpq, options: { stallMs: 1_000 } });
    await assert.rejects(collect(stalling), { code: "dump_stalled" });
    const hurried = stage.dump({ libpq, options: { deadlineMs: 700 } });
    await assert.rejects(collect(hurried), { code: "dump_timed_out" });
  });

  it("waits for a slow reader without calling the dump stalled", async () => {
    const options = { stallMs: 12_000 };
    const reading = stage.read(stage.dump({ options }), options);

    let isFirst = true;
    for await (const chunk of reading.archive) {
      if (isFirst && chunk.length > 0) await pause(13_000);
      isFirst = false;
    }

    assert.equal((await reading.contents).tables.length, 2);
  });

  it("shows no password in the list of processes, and inherits no variable of ours", async () => {
    process.env["PGOPTIONS"] = "-c search_path=evil";
    const iterator = stage.dump()[Symbol.asyncIterator]();
    await iterator.next();
    const [pid = 0] = await childrenNamed("pg_dump");

    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
    const environment = await readFile(`/proc/${pid}/environ`, "utf8");
    await iterator.return?.();
    delete process.env["PGOPTIONS"];

    assert.ok(!commandLine.includes(server.password));
    assert.ok(!environment.includes(server.password));
    assert.ok(!environment.includes("search_path=evil"));
    assert.match(environment, /PGPASSFILE=/);
  });
});

async function drain(iterator: AsyncIterator<Uint8Array>): Promise<void> {
  while ((await iterator.next()).done !== true);
}

/** Children of this process, found as an operator would. */
async function childrenNamed(name: string): Promise<number[]> {
  const { stdout } = await execa("ps", ["-o", "pid=,comm=", "--ppid", `${process.pid}`], { reject: false });
  return stdout
    .split("\n")
    .filter((line) => line.endsWith(` ${name}`))
    .map((line) => Number.parseInt(line, 10));
}
