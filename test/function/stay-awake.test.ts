import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import type { Run } from "../../shared/run/run.ts";
import {
  backupEnvironment,
  type FunctionProcess,
  type LogLine,
  startFunction,
} from "../support/function-process.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";
import { type QueueProxy, startQueueProxy } from "../support/queue-proxy.ts";
import { preload, until } from "../support/faulty.ts";
import { readContent, type Removed, temporaryFolder } from "../support/volume.ts";

const TIMEOUT_SECONDS = 10;

/** The clock of the real thing, ten times as fast or more: a drain takes 30 s and a request 300. */
const FAST = { timeoutMs: TIMEOUT_SECONDS * 1000, drainMs: 1_500 };

describe("a function on Knative", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let proxy: QueueProxy;
  let backup: FunctionProcess;
  let blocker: pg.Client;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    await server.query(database, "CREATE TABLE held (id int)");
  });
  after(() => server.dropDatabase(database));

  beforeEach(async () => {
    volume = await temporaryFolder();
    proxy = await startQueueProxy(FAST);
    backup = await startBehind(proxy);
    blocker = await server.connect(database);
  });
  afterEach(async () => {
    await blocker.end();
    await backup[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
  });

  async function startBehind(queueProxy: QueueProxy): Promise<FunctionProcess> {
    const started = await startFunction("backup", {
      ...backupEnvironment(server, database, volume.path),
      K_SERVICE: "backup",
      ...preload("queue-proxy-preload.ts"),
      DORMOUSE_TEST_QUEUE_PROXY: new URL(queueProxy.url).port,
      TIMEOUT_SECONDS: `${TIMEOUT_SECONDS}`,
      // No server is there: all of this is within the pod, and goes through no proxy.
      NODE_USE_ENV_PROXY: "1",
      HTTP_PROXY: "http://127.0.0.1:9",
    });
    queueProxy.target = started;
    return started;
  }

  /** A run that goes on until the lock is released. */
  async function startLongRun(): Promise<string> {
    await blocker.query("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE");
    const response = await backup.post({}, { prefer: "respond-async" });
    const { run } = (await response.json()) as { run: string };
    await backup.logged("step inspected");
    return run;
  }

  const stateOf = async (run: string) => ((await (await backup.get(`/runs/${run}`)).json()) as Run).state;

  it("holds its pod by requests that are never cut, until the run has ended", async () => {
    const run = await startLongRun();
    await until(() => holds(proxy).length >= 2 && proxy.inFlight === 1);
    const whileRunning = await stateOf(run);

    await blocker.query("COMMIT");
    await backup.logged("run succeeded");
    await until(() => proxy.inFlight === 0);

    assert.equal(whileRunning, "running");
    assert.deepEqual([...new Set(holds(proxy))], [200]);
    const seen = proxy.probes;
    await pause(1_500);
    assert.equal(proxy.inFlight, 0);
    assert.ok(proxy.probes <= seen + 1, "it went on asking");
  });

  it("is held by no other process", async () => {
    const answers = await Promise.all(
      [{}, { "Dormouse-Hold": "guess" }].map((headers) =>
        fetch(`${backup.url}/internal/hold`, { method: "POST", headers }),
      ),
    );

    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 404],
    );
  });

  it("finishes its run when the pod is deleted, and leaves on SIGTERM", async () => {
    const run = await startLongRun();
    proxy.deletePod();
    await backup.logged("drain begun");
    await until(() => proxy.inFlight === 0);

    const first = await backup.logged("shutdown begun");
    await blocker.query("COMMIT");

    assert.equal(await backup.ended, 0);
    assert.equal(first["signal"], "SIGTERM");
    assert.deepEqual(endOf(backup, run).message, "run succeeded");
  });

  const ends = [
    ["SIGTERM", FAST],
    // As on a service of 30 s or less: SIGTERM would come together with SIGKILL.
    ["drain", { ...FAST, drainMs: 2 * FAST.timeoutMs }],
  ] as const;
  for (const [cause, timing] of ends) {
    it(`interrupts a run that does not end in time, leaves before SIGKILL (by ${cause}), and the next pod takes it up`, async () => {
      await using ownProxy = await startQueueProxy(timing);
      await backup[Symbol.asyncDispose]();
      backup = await startBehind(ownProxy);
      const run = await startLongRun();
      ownProxy.deletePod();

      const ended = await backup.ended;
      const left = await readContent(volume.path);
      await blocker.query("COMMIT");
      await using next = await startBehind(proxy);
      const succeeded = await next.logged("run succeeded");

      assert.equal(ended, 0);
      assert.equal((await backup.logged("shutdown begun"))["signal"], cause);
      assert.equal(endOf(backup, run).message, "run interrupted");
      assert.deepEqual(left, {});
      assert.equal(succeeded["run"], run);
      assert.equal(Object.keys(await readContent(volume.path)).length, 2);
    });
  }
});

function holds({ ended }: QueueProxy): (number | "cut")[] {
  return ended.filter(({ path }) => path === "/internal/hold").map(({ outcome }) => outcome);
}

function endOf({ lines }: FunctionProcess, run: string): LogLine {
  const found = lines.find(
    (line) => line["run"] === run && /^run (?:succeeded|failed|interrupted)$/.test(line.message),
  );
  if (found === undefined) throw new Error(`the run has not ended: ${JSON.stringify(lines)}`);
  return found;
}
