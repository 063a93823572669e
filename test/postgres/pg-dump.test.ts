import type { TableRows } from "../../shared/postgres/plain-dump/plain-dump.ts";
import assert from "node:assert/strict";
import { execa } from "execa";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type pg from "pg";
import { setTimeout as pause } from "node:timers/promises";
import { findClientTools } from "../../shared/postgres/client-tools.ts";
import { DormouseError } from "../../shared/errors.ts";
import { openLibpq, type Libpq } from "../../shared/postgres/session/libpq.ts";
import { startDump, type DumpOptions, type DumpRequest } from "../../shared/postgres/pg-dump.ts";
import { readArchive } from "../../shared/postgres/read-archive.ts";
import { until } from "../support/faulty.ts";
import { ODD_NAMES } from "../support/odd-names.ts";
import { anInspection as inspection, collect, dumpOptions, settingsOf } from "../support/postgres-adapter.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";

const never = new AbortController().signal;

async function pidOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid ?? 0;
}

type DumpTool = Awaited<ReturnType<typeof dumpToolOf>>;

async function dumpToolOf(server: TestServer, libpq: Libpq, options: DumpOptions) {
  const tools = await findClientTools(server.major, server.binDir, "");
  return {
    dump: (request: DumpRequest, signal: AbortSignal) =>
      startDump({ tools, libpq, options, request }, signal),
    read: (archive: AsyncIterable<Uint8Array>, signal: AbortSignal) =>
      readArchive(tools, archive, options, signal),
  };
}

describe("dumping and reading with the client tools", () => {
  let server: TestServer;
  let libpq: Libpq;
  let tool: DumpTool;
  let database: string;

  before(async () => {
    server = await sharedServer();
    libpq = await openLibpq(settingsOf(server));
    tool = await toolWith(libpq);
    database = await server.createDatabase();
    await server.query(
      database,
      `CREATE TABLE wide AS SELECT n AS id, md5(n::text) || md5((n * 7)::text) AS noise FROM generate_series(1, 60000) n;
       CREATE TABLE "odd ""name" (a int); INSERT INTO "odd ""name" VALUES (1), (2);
       SELECT lo_from_bytea(0, 'bytes');`,
    );
  });

  after(async () => {
    await server.dropDatabase(database);
    await libpq[Symbol.asyncDispose]();
  });

  const toolWith = (connection: Libpq, changes: Partial<DumpOptions> = {}) =>
    dumpToolOf(server, connection, dumpOptions(server, changes));

  const start = (dumper = tool, name = database, signal = never) =>
    dumper.dump({ database: name, inspection, leaveOut: [] }, signal);

  it("ends an unread dump with the run that it was started for", async () => {
    const holder = await server.connect(database);
    await holder.query("BEGIN; LOCK TABLE wide IN ACCESS EXCLUSIVE MODE");
    const sql = "SELECT FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LOCK TABLE%' AND pid <> $2";
    const waiting = async () =>
      (await server.query("postgres", sql, [database, await pidOf(holder)])).rows.length;
    const ended = new AbortController();

    start(tool, database, ended.signal);
    await until(async () => (await waiting()) === 1);
    ended.abort(new DormouseError("interrupted", "the run has ended"));

    await until(async () => (await waiting()) === 0);
    await holder.end();
  });

  it("dumps a database and counts its rows while the archive passes by", async () => {
    const reading = tool.read(start().archive, never);

    const archive = await collect(reading.archive);
    const contents = await reading.contents;

    assert.equal(archive.subarray(0, 5).toString(), "PGDMP");
    assert.deepEqual(counted(contents.tables), [
      { schema: "public", name: 'odd "name', rows: 2 },
      { schema: "public", name: "wide", rows: 60_000 },
    ]);
    assert.equal(contents.largeObjects, 1);
    assert.ok(contents.plainBytes > archive.length);
  });

  it("refuses an archive cut short at each of sixty places", async () => {
    const archive = await collect(start().archive);

    for (let cut = 1; cut <= 60; cut++) {
      const short = archive.subarray(0, Math.floor((archive.length * cut) / 61));
      await assert.rejects(readAll(tool, short), { code: "archive_damaged" }, `cut ${cut}`);
    }
    await assert.rejects(readAll(tool, archive.subarray(0, archive.length - 1)), { code: "archive_damaged" });
    await readAll(tool, archive);
  });

  for (const name of ODD_NAMES) {
    it(`dumps the database ${JSON.stringify(name)} and no other`, async () => {
      await server.createDatabase(name);
      try {
        await server.query(name, "CREATE TABLE only_here AS SELECT 1 AS a");
        const reading = tool.read(start(tool, name).archive, never);

        await collect(reading.archive);

        const { tables } = await reading.contents;
        assert.deepEqual(counted(tables), [{ schema: "public", name: "only_here", rows: 1 }]);
      } finally {
        await server.dropDatabase(name);
      }
    });
  }

  it("tells a wrong password, an unknown database and a silent port apart", async () => {
    await using wrong = await openLibpq(settingsOf(server, { password: "s3cret-and-wrong" }));
    await using closed = await openLibpq(settingsOf(server, { port: 1 }));

    const [rejected, missing, unreachable] = await Promise.all([
      failure(collect(start(await toolWith(wrong)).archive)),
      failure(collect(start(tool, "no such database").archive)),
      failure(collect(start(await toolWith(closed)).archive)),
    ]);

    assert.equal(rejected.code, "password_rejected");
    assert.ok(!rejected.message.includes("s3cret-and-wrong"));
    assert.equal(missing.code, "database_not_found");
    assert.equal(unreachable.code, "server_unreachable");
  });

  it("fails with what happened when the backend is ended in the middle", async () => {
    const { archive } = start();
    const iterator = archive[Symbol.asyncIterator]();
    await iterator.next();
    const others =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    await server.query("postgres", others, [database]);

    await assert.rejects(drain(iterator), { code: "connection_lost" });
  });

  it("fails when pg_dump is killed in the middle", async () => {
    const { archive } = start();
    const iterator = archive[Symbol.asyncIterator]();
    await iterator.next();
    for (const pid of await childrenNamed("pg_dump")) process.kill(pid, "SIGKILL");

    await assert.rejects(drain(iterator), /pg_dump failed .*SIGKILL/);
  });

  it("ends pg_dump when the run is aborted, and says why", async () => {
    const controller = new AbortController();
    const iterator = start(tool, database, controller.signal).archive[Symbol.asyncIterator]();
    await iterator.next();
    controller.abort(new Error("told to stop"));

    await assert.rejects(drain(iterator), /told to stop/);
    assert.deepEqual(await childrenNamed("pg_dump"), []);
  });

  it("gives up on a table that is locked exclusively", async () => {
    const impatient = await toolWith(libpq, { lockWaitMs: 200 });
    const holder = await server.connect(database);
    await holder.query("BEGIN; LOCK TABLE wide IN ACCESS EXCLUSIVE MODE");
    try {
      await assert.rejects(collect(start(impatient).archive), { code: "lock_timeout" });
    } finally {
      await holder.end();
    }
  });

  it("gives up on a server that falls silent, and on a dump that takes too long", async () => {
    await using proxy = await tcpProxy(server.port);
    await using through = await openLibpq(settingsOf(server, { port: proxy.port }));
    const watchful = await toolWith(through, { stallMs: 15_000 });
    const hurried = await toolWith(through, { deadlineMs: 700 });

    const iterator = start(watchful).archive[Symbol.asyncIterator]();
    await iterator.next();
    proxy.blackhole();
    await assert.rejects(drain(iterator), { code: "dump_stalled" });
    await assert.rejects(collect(start(hurried).archive), { code: "dump_timed_out" });
  });

  it("waits for a slow reader without calling the dump stalled", async () => {
    const watchful = await toolWith(libpq, { stallMs: 12_000 });
    const reading = watchful.read(start(watchful).archive, never);

    let isFirst = true;
    for await (const chunk of reading.archive) {
      if (isFirst && chunk.length > 0) await pause(13_000);
      isFirst = false;
    }

    assert.equal((await reading.contents).tables.length, 2);
  });

  it("shows no password in the list of processes, and inherits no variable of ours", async () => {
    process.env["PGOPTIONS"] = "-c search_path=evil";
    const iterator = start().archive[Symbol.asyncIterator]();
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

  it("leaves out the named tables", async () => {
    const leaveOut = [
      { kind: "large-objects", data: true, names: ["1"], detail: "" },
      { kind: "row-security", data: true, names: ['public."odd ""name"'], detail: "" },
    ] as const;
    const reading = tool.read(tool.dump({ database, inspection, leaveOut }, never).archive, never);

    await collect(reading.archive);

    const contents = await reading.contents;
    assert.deepEqual(
      contents.tables.map(({ name }) => name),
      ["wide"],
    );
    assert.equal(contents.largeObjects, 0);
  });
});

function counted(tables: readonly TableRows[]): TableRows[] {
  return tables.map(({ schema, name: table, rows }) => ({ schema, name: table, rows }));
}

async function failure(call: Promise<unknown>): Promise<DormouseError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DormouseError, `expected a failure, got ${String(error)}`);
  return error;
}

async function readAll(tool: DumpTool, archive: Uint8Array): Promise<void> {
  const pieces = (async function* () {
    for (let at = 0; at < archive.length; at += 65_536) yield archive.subarray(at, at + 65_536);
  })();
  const reading = tool.read(pieces, never);
  await collect(reading.archive);
  await reading.contents;
}

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
