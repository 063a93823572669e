import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { lockKey } from "../../../shared/postgres/session/advisory-lock.ts";
import { eventReceiver } from "../../support/event-receiver.ts";
import { until } from "../../support/faulty.ts";
import { backupEnvironment, manifestOf, startFunction } from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { temporaryFolder } from "../../support/volume.ts";

describe("the events of a backup", () => {
  let server: TestServer;
  let database: string;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    await server.query(database, "CREATE TABLE t AS SELECT generate_series(1, 10)");
  });

  after(() => server.dropDatabase(database));

  const start = (backupDir: string, sink: string, changes: Readonly<Record<string, string>> = {}) =>
    startFunction("backup", { ...backupEnvironment(server, database, backupDir), K_SINK: sink, ...changes });

  it("is one event for a backup, with its manifest", async () => {
    await using volume = await temporaryFolder();
    await using sink = await eventReceiver();
    await using backup = await start(volume.path, sink.url);

    const manifest = await manifestOf(await backup.post());

    await until(async () => sink.events.length >= 1);
    assert.deepEqual(
      sink.events.map(({ type, subject, data }) => [type, subject, data["archive"]]),
      [["dev.dormouse.backup.completed", manifest.name, manifest.archive]],
    );
  });

  it("is one event for a failure, with the problem and no secret", async () => {
    await using volume = await temporaryFolder();
    await using sink = await eventReceiver();
    await using backup = await start(volume.path, sink.url, { POSTGRESQL_PASSWORD: "wrong-secret" });

    const { code } = (await (await backup.post()).json()) as { code: string };

    await until(async () => sink.events.length >= 1);
    const told = sink.events.map(({ type, subject, data }) => ({
      type,
      subject,
      problem: data["problem"] as Failure,
    }));
    assert.deepEqual(
      told.map(({ type, subject, problem }) => [type, subject, problem.code]),
      [["dev.dormouse.backup.failed", database, code]],
    );
    assert.doesNotMatch(JSON.stringify([told, backup.lines]), /wrong-secret/);
  });

  it("costs no backup when it is not accepted", async () => {
    await using volume = await temporaryFolder();
    await using backup = await start(volume.path, "http://127.0.0.1:9/");

    const manifest = await manifestOf(await backup.post());

    assert.equal(manifest.verification.level, "read");
    assert.equal((await backup.logged("event not delivered"))["code"], "event_undelivered");
  });

  it("delays neither lock nor answer while the sink takes its time, and keeps the pod", async () => {
    await using volume = await temporaryFolder();
    await using sink = await eventReceiver();
    const release = sink.hold();
    await using backup = await start(volume.path, sink.url);
    const client = await server.connect("postgres");

    const manifest = await manifestOf(await backup.post());
    const { state } = (await (await backup.get(`/runs/${manifest.run}`)).json()) as {
      readonly state: string;
    };
    await until(() => Promise.resolve(sink.events.length > 0));
    await until(async () => {
      const { rows } = await client.query("SELECT pg_try_advisory_lock($1::bigint) AS free", [
        lockKey(database),
      ]);
      return (rows as { free: boolean }[])[0]?.free === true;
    });
    const endedBefore = backup.lines.some(({ message }) => message === "run succeeded");
    release();

    await backup.logged("run succeeded");
    await client.end();
    assert.equal(state, "succeeded");
    assert.equal(endedBefore, false);
  });

  it("is in the log as well: one line for each step, under the same keys", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction("backup", backupEnvironment(server, database, volume.path));

    const { run, name } = await manifestOf(await backup.post());
    await backup.logged("run succeeded");

    const steps = backup.lines.filter((line) => line["run"] === run && line["level"] === "info");
    assert.deepEqual(
      steps.map(({ message }) => message),
      ["locked", "inspected", "dumped", "verified", "published"]
        .map((step) => `step ${step}`)
        .concat("run succeeded"),
    );
    assert.equal(steps.at(-2)?.["backup"], name);
    for (const line of backup.lines)
      assert.deepEqual(Object.keys(line).slice(0, 4), ["time", "level", "message", "function"]);
  });
});

type Failure = { readonly code: string };
