import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Run } from "../../../shared/run/run.ts";
import { lockKey } from "../../../shared/postgres/session/advisory-lock.ts";
import { setBackupStage, type BackupStage } from "../../support/backup-stage.ts";
import { until } from "../../support/faulty.ts";
import { backupEnvironment, manifestOf, minutesAgo, startFunction } from "../../support/function-process.ts";
import { temporaryFolder } from "../../support/volume.ts";

describe("a backup that is asked for again", () => {
  let stage: BackupStage;
  before(async () => void (stage = await setBackupStage()));
  after(() => stage[Symbol.asyncDispose]());

  it("answers an event with 202 and nothing else, and makes one backup of ten deliveries at once", async () => {
    const before = (await stage.catalog()).length;
    const event = { id: "event-1", time: minutesAgo(30).replace("Z", "456789Z") };

    const responses = await Promise.all(Array.from({ length: 10 }, () => stage.backup.ping(event)));
    const bodies = await Promise.all(responses.map((response) => response.text()));
    await stage.settled();
    const again = await stage.backup.ping(event);
    await stage.settled();

    assert.deepEqual(
      responses.map(({ status }) => status),
      Array.from({ length: 10 }, () => 202),
    );
    assert.deepEqual(
      bodies,
      Array.from({ length: 10 }, () => ""),
    );
    assert.equal(again.status, 202);
    assert.equal((await stage.catalog()).length, before + 1);
  });

  it("makes one backup of two events of one minute, and another of the next minute's", async () => {
    const before = (await stage.catalog()).length;
    const minute = minutesAgo(60).slice(0, 17);

    for (const [id, time] of [
      ["a", `${minute}01Z`],
      ["b", `${minute}59Z`],
      ["c", minutesAgo(50)],
    ] as const) {
      assert.equal((await stage.backup.ping({ id, time })).status, 202);
      await stage.settled();
    }

    assert.equal((await stage.catalog()).length, before + 2);
  });

  it("answers with the backup that is recent enough, and takes one when it is not", async () => {
    const before = await stage.catalog();

    const recent = await manifestOf(await stage.backup.post({ ifOlderThan: "1h" }));
    const old = await manifestOf(await stage.backup.post({ ifOlderThan: "0s" }));

    assert.equal(recent.name, before[0]?.name);
    assert.notEqual(old.name, before[0]?.name);
    assert.equal((await stage.catalog()).length, before.length + 1);
  });

  it("does once what one key asks for, also at the same time", async () => {
    const before = (await stage.catalog()).length;
    const post = () => stage.backup.post({ label: "keyed" }, { "idempotency-key": "one-key" });

    const manifests = await Promise.all([post(), post(), post()].map(async (call) => manifestOf(await call)));
    const later = await manifestOf(await post());
    const other = await stage.backup.post({ label: "another" }, { "idempotency-key": "one-key" });

    assert.equal(new Set([...manifests, later].map(({ name }) => name)).size, 1);
    assert.equal(other.status, 422);
    assert.equal(((await other.json()) as { code: string }).code, "idempotency_key_reused");
    assert.equal((await stage.catalog()).length, before + 1);
  });

  it("tries again what failed when the same key or the same event comes again", async () => {
    await using own = await temporaryFolder();
    await using tried = await startFunction(
      "backup",
      backupEnvironment(stage.server, stage.database, own.path),
    );
    const post = () => tried.post({}, { "idempotency-key": "second-try" });
    const ping = () => tried.ping({ id: "second-try", time: minutesAgo(90) });
    const ended = (message: string) => tried.lines.filter((line) => line.message === message).length;
    const holder = await stage.server.connect("postgres");
    await holder.query("SELECT pg_advisory_lock($1::bigint)", [lockKey(stage.database)]);
    const refused = await post();
    await ping();
    await until(() => ended("run failed") === 2);
    await holder.end();

    const [made, same] = [await manifestOf(await post()), await manifestOf(await post())];
    const statuses = await Promise.all([ping(), ping(), ping()].map(async (call) => (await call).status));
    await until(() => ended("run succeeded") === 2);

    assert.equal(refused.status, 409);
    assert.deepEqual(same, made);
    assert.deepEqual(statuses, [202, 202, 202]);
    const { backups } = (await (await tried.get("/")).json()) as { backups: { manifest: { run: string } }[] };
    const runs = backups.map(
      async ({ manifest }) => (await (await tried.get(`/runs/${manifest.run}`)).json()) as Run,
    );
    assert.deepEqual(
      (await Promise.all(runs)).map(({ state, attempt }) => [state, attempt]),
      [
        ["succeeded", 2],
        ["succeeded", 2],
      ],
    );
  });

  it("takes an event in structured mode, and data that ask whether a backup is due", async () => {
    const before = (await stage.catalog()).length;
    const event = {
      specversion: "1.0",
      id: "s1",
      source: "/cron",
      type: "dev.knative.sources.ping",
      data: { ifOlderThan: "23h" },
    };
    const headers = { "content-type": "application/cloudevents+json" };

    const response = await fetch(stage.backup.url, { method: "POST", headers, body: JSON.stringify(event) });
    await stage.settled();

    assert.equal(response.status, 202);
    assert.equal((await stage.catalog()).length, before);
  });
});
