import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Run } from "../../shared/run/run.ts";
import { lockKey } from "../../shared/postgres/session/advisory-lock.ts";
import { problemIn } from "../support/faulty.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

describe("an operator’s restore while others ask for backups and wake functions without end", () => {
  let stage: RestoreStage;
  before(async () => void (stage = await setRestoreStage()));
  after(() => stage[Symbol.asyncDispose]());

  it("succeeds each time", async () => {
    const environment = {
      ...backupEnvironment(stage.server, stage.database, stage.path),
      RETRY_SECONDS: "600",
      // Each ping is to want the lock.
      MIN_INTERVAL_MINUTES: "0",
    };
    await using backup = await startFunction("backup", environment);
    const restore = await stage.start();
    const over = new AbortController();
    const statuses = new Set<number>();
    const floods = [backup, backup, backup, restore, restore].map((target) =>
      flood(target, over.signal, statuses),
    );

    const results = [];
    for (const body of [{ into: "scratch" }, {}, { into: "scratch" }]) {
      results.push(await stage.readResult(restore.post({ filename: stage.backup.name, ...body })));
    }
    over.abort();
    await Promise.all(floods);

    assert.deepEqual(
      results.map(({ strategy }) => strategy),
      ["rehearse", "swap", "rehearse"],
    );
    assert.deepEqual(await stage.fingerprint(), stage.original);
    for (const status of statuses) assert.ok([202, 503].includes(status), `a ping was answered ${status}`);
  });

  it("names the run that it waits for, goes on when that has ended, and waits no longer than configured", async () => {
    const restore = await stage.start();
    const impatient = await stage.start({ BUSY_WAIT_SECONDS: "1" });
    const holder = await hold(stage, "backup-0123456789abcdef01234567");

    const late = await problemIn(impatient.post({ filename: "latest", into: "scratch" }));
    const answer = await restore.post({ filename: "latest", into: "scratch" }, { prefer: "respond-async" });
    const location = answer.headers.get("location") ?? "";
    const runOf = async () => (await (await restore.get(location)).json()) as Run;
    while ((await runOf()).steps.length === 0) await pause(20);
    const waiting = await runOf();
    await holder.end();
    while (["accepted", "running"].includes((await runOf()).state)) await pause(50);
    const ended = await runOf();

    assert.deepEqual([late.status, late.code], [409, "database_busy"]);
    assert.match(late.detail, /backup-0123456789abcdef01234567/);
    assert.deepEqual(waiting.steps[0]?.detail, {
      for: "backup-0123456789abcdef01234567",
      atMostSeconds: 600,
    });
    assert.equal(ended.state, "succeeded");
  });

  it("has what two asked for restored once", async () => {
    const restore = await stage.start();
    const holder = await hold(stage, "backup-0123456789abcdef01234567");
    const ask = () => restore.post({ filename: stage.backup.name });
    const asked = [ask(), ask()];
    while ((await waiting(stage)) < asked.length) await pause(20);

    await holder.end();
    const answers = await Promise.all(asked);
    const problems = await Promise.all(answers.filter(({ status }) => status !== 200).map((a) => a.json()));

    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 409],
    );
    assert.match((problems as { detail: string }[])[0]?.detail ?? "", /changed .* while this restore waited/);
  });

  it("meets no lock of a ping that finds nothing to do", async () => {
    const backup = await startFunction("backup", {
      ...backupEnvironment(stage.server, stage.database, stage.path),
      RETRY_SECONDS: "0",
    });
    await using _ = backup;
    const restore = await stage.start();
    const holder = await hold(stage, "restore-0123456789abcdef01234567");

    const young = await backup.post({ ifOlderThan: "1d" });
    const woken = await restore.ping();
    await holder.end();

    assert.deepEqual([young.status, woken.status], [200, 202]);
    assert.deepEqual(
      restore.lines.filter(({ message }) => message === "expired databases not checked"),
      [],
    );
  });
});

async function flood(target: FunctionProcess, over: AbortSignal, statuses: Set<number>): Promise<void> {
  while (!over.aborted) {
    const { status, body } = await target.ping({ source: `/attack/${randomUUID()}` });
    await body?.cancel();
    statuses.add(status);
  }
}

/** A run that has the lock, of whatever function. */
async function hold({ server, database }: RestoreStage, run: string) {
  const client = await server.connect("postgres");
  await client.query("SELECT set_config('application_name', $1, false)", [`dormouse ${run}`]);
  await client.query("SELECT pg_advisory_lock($1::bigint)", [lockKey(database)]);
  return client;
}

async function waiting({ server, database }: RestoreStage): Promise<number> {
  const sql = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND (classid::bigint << 32) | objid::bigint = ${lockKey(database)}`;
  return (await server.query("postgres", sql)).rows.length;
}
