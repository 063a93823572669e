import assert from "node:assert/strict";
import { execa } from "execa";
import { readdir, readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Run } from "../../../shared/run/run.ts";
import { lockKey } from "../../../shared/postgres/session/advisory-lock.ts";
import {
  backupEnvironment,
  manifestOf,
  startFunction,
  type FunctionProcess,
  minutesAgo,
} from "../../support/function-process.ts";
import { until } from "../../support/faulty.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { createSample, fingerprint } from "../../support/sample-database.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

describe("the backup function", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let backup: FunctionProcess;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    const client = await server.connect(database);
    await createSample(client);
    await client.end();
    volume = await temporaryFolder();
    backup = await startFunction("backup", backupEnvironment(server, database, volume.path));
  });

  after(async () => {
    await backup[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
    await server.dropDatabase(database);
  });

  const catalog = async () =>
    ((await (await backup.get("/")).json()) as { backups: { name: string }[] }).backups;

  it("takes a backup on POST that restores to the same content with PostgreSQL's own tools", async () => {
    const manifest = await manifestOf(await backup.post({ label: "first", pin: "keep it" }));
    const restored = await server.createDatabase();
    const { stderr } = await execa(
      `${server.binDir}/pg_restore`,
      ["--exit-on-error", "--dbname", restored, `${volume.path}/${manifest.name}`],
      {
        env: {
          PGHOST: server.host,
          PGPORT: `${server.port}`,
          PGUSER: server.user,
          PGPASSWORD: server.password,
        },
      },
    );

    const [source, target] = await Promise.all([server.connect(database), server.connect(restored)]);
    const [expected, actual] = [await fingerprint(source), await fingerprint(target)];
    const schemas = await Promise.all([database, restored].map((name) => schemaOf(server, name)));
    await Promise.all([source.end(), target.end()]);
    await server.dropDatabase(restored);

    assert.equal(stderr, "");
    assert.deepEqual(actual, expected);
    assert.equal(schemas[1], schemas[0]);
    assert.equal(manifest.label, "first");
    assert.equal(manifest.pin?.reason, "keep it");
    assert.equal(manifest.verification.level, "read");
    assert.deepEqual(
      (await catalog()).map(({ name }) => name),
      [manifest.name],
    );
    const counts = Object.fromEntries(
      manifest.content.tables.map(({ schema, name, rows }) => [quoted(schema, name), `${rows}`]),
    );
    for (const [table, rows] of Object.entries(counts))
      assert.equal(expected[table]?.split(" ")[0], rows, table);
    assert.equal(manifest.content.largeObjects, 1);
  });

  it("runs the command of its manifest in a shell", async () => {
    const [newest] = await catalog();
    const manifest = (newest as unknown as { manifest: { restoreByHand: string } }).manifest;
    const path = `${server.binDir}:${process.env["PATH"]}`;
    const env = {
      PATH: path,
      PGHOST: server.host,
      PGPORT: `${server.port}`,
      PGUSER: server.user,
      PGPASSWORD: server.password,
    };

    await execa("sh", ["-c", manifest.restoreByHand], { cwd: volume.path, env });

    const { rows } = await server.query(
      `${database}_restored`,
      "SELECT count(*)::int AS count FROM hire.owner",
    );
    await server.dropDatabase(`${database}_restored`);
    assert.deepEqual(rows, [{ count: 200 }]);
  });

  it("answers an event with 202 and nothing else, and makes one backup of ten deliveries at once", async () => {
    const before = (await catalog()).length;
    const event = { id: "event-1", time: minutesAgo(30).replace("Z", "456789Z") };

    const responses = await Promise.all(Array.from({ length: 10 }, () => backup.ping(event)));
    const bodies = await Promise.all(responses.map((response) => response.text()));
    await settled(volume);
    const again = await backup.ping(event);
    await settled(volume);

    assert.deepEqual(
      responses.map(({ status }) => status),
      Array.from({ length: 10 }, () => 202),
    );
    assert.deepEqual(
      bodies,
      Array.from({ length: 10 }, () => ""),
    );
    assert.equal(again.status, 202);
    assert.equal((await catalog()).length, before + 1);
  });

  it("makes one backup of two events of one minute, and another of the next minute's", async () => {
    const before = (await catalog()).length;
    const minute = minutesAgo(60).slice(0, 17);

    for (const [id, time] of [
      ["a", `${minute}01Z`],
      ["b", `${minute}59Z`],
      ["c", minutesAgo(50)],
    ] as const) {
      assert.equal((await backup.ping({ id, time })).status, 202);
      await settled(volume);
    }

    assert.equal((await catalog()).length, before + 2);
  });

  it("answers with the backup that is recent enough, and takes one when it is not", async () => {
    const before = await catalog();

    const recent = await manifestOf(await backup.post({ ifOlderThan: "1h" }));
    const old = await manifestOf(await backup.post({ ifOlderThan: "0s" }));

    assert.equal(recent.name, before[0]?.name);
    assert.notEqual(old.name, before[0]?.name);
    assert.equal((await catalog()).length, before.length + 1);
  });

  it("does once what one key asks for, also at the same time", async () => {
    const before = (await catalog()).length;
    const post = () => backup.post({ label: "keyed" }, { "idempotency-key": "one-key" });

    const manifests = await Promise.all([post(), post(), post()].map(async (call) => manifestOf(await call)));
    const later = await manifestOf(await post());
    const other = await backup.post({ label: "another" }, { "idempotency-key": "one-key" });

    assert.equal(new Set([...manifests, later].map(({ name }) => name)).size, 1);
    assert.equal(other.status, 422);
    assert.equal(((await other.json()) as { code: string }).code, "idempotency_key_reused");
    assert.equal((await catalog()).length, before + 1);
  });

  it("answers at once with respond-async, and shows how the run stands", async () => {
    const response = await backup.post({}, { prefer: "respond-async" });
    const location = response.headers.get("location") ?? "";
    await settled(volume);
    const run = (await (await backup.get(location)).json()) as Run;
    const waited = await backup.post({}, { prefer: "wait=0" });
    await settled(volume);

    assert.equal(response.status, 202);
    assert.equal(run.state, "succeeded");
    assert.deepEqual(
      run.steps.map(({ step }) => step),
      ["locked", "inspected", "dumped", "verified", "published"],
    );
    assert.equal(waited.status, 202);
    assert.equal((await backup.get("/runs/backup-000000000000000000000000")).status, 404);
  });

  it("streams one line for each step", async () => {
    const response = await backup.post({}, { accept: "application/x-ndjson" });
    const lines = (await response.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);

    assert.equal(response.headers.get("content-type"), "application/x-ndjson");
    // Only a long dump has progress.
    const told = lines.map((line) => line["step"] ?? line["type"]);
    assert.deepEqual(
      told.filter((each) => each !== "progress"),
      ["run", "locked", "inspected", "dumped", "verified", "published", "result"],
    );
  });

  it("goes on when the caller hangs up", async () => {
    const before = (await catalog()).length;
    const recorded = async () => (await recordsIn(volume)).length;
    const runs = await recorded();
    const hangUp = new AbortController();
    const call = fetch(backup.url, { method: "POST", signal: hangUp.signal }).catch(() => undefined);
    await until(async () => (await recorded()) > runs);
    hangUp.abort();
    await call;
    await settled(volume);

    assert.equal((await catalog()).length, before + 1);
  });

  it("tries again what failed when the same key or the same event comes again", async () => {
    await using own = await temporaryFolder();
    await using tried = await startFunction("backup", backupEnvironment(server, database, own.path));
    const post = () => tried.post({}, { "idempotency-key": "second-try" });
    const ping = () => tried.ping({ id: "second-try", time: minutesAgo(90) });
    const ended = (message: string) => tried.lines.filter((line) => line.message === message).length;
    const holder = await server.connect("postgres");
    await holder.query("SELECT pg_advisory_lock($1::bigint)", [lockKey(database)]);
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

  it("answers a second caller that the database is busy, and changes nothing", async () => {
    const holder = await server.connect(database);
    await holder.query("BEGIN; LOCK TABLE hire.owner IN ACCESS EXCLUSIVE MODE");
    const first = backup.post();
    await backup.logged("step inspected");
    while (!(await isDumping(server, database))) await pause(20);

    const second = await backup.post();
    await holder.end();

    assert.equal(second.status, 409);
    assert.equal(((await second.json()) as { code: string }).code, "database_busy");
    assert.equal((await first).status, 200);
  });

  it("takes an event in structured mode, and data that ask whether a backup is due", async () => {
    const before = (await catalog()).length;
    const event = {
      specversion: "1.0",
      id: "s1",
      source: "/cron",
      type: "dev.knative.sources.ping",
      data: { ifOlderThan: "23h" },
    };
    const headers = { "content-type": "application/cloudevents+json" };

    const response = await fetch(backup.url, { method: "POST", headers, body: JSON.stringify(event) });
    await settled(volume);

    assert.equal(response.status, 202);
    assert.equal((await catalog()).length, before);
  });
});

/** Waits until every run that is on record has ended: records come before answers. */
/** Those that are written, and no temporary file. */
async function recordsIn({ path }: Removed): Promise<readonly string[]> {
  const folder = `${path}/.dormouse/runs`;
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith(".json")).map((name) => `${folder}/${name}`);
}

async function settled(volume: Removed): Promise<void> {
  await until(async () => {
    const records = await Promise.all((await recordsIn(volume)).map((path) => readFile(path, "utf8")));
    return records.every((record) => ["succeeded", "failed"].includes((JSON.parse(record) as Run).state));
  });
}

async function isDumping(server: TestServer, database: string): Promise<boolean> {
  const sql =
    "SELECT FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'";
  return (await server.query("postgres", sql, [database])).rows.length > 0;
}

async function schemaOf(server: TestServer, database: string): Promise<string> {
  const { stdout } = await execa(`${server.binDir}/pg_dump`, ["--schema-only", "--dbname", database], {
    env: { PGHOST: server.host, PGPORT: `${server.port}`, PGUSER: server.user, PGPASSWORD: server.password },
  });
  return stdout.replace(/^\\(?:un)?restrict .*$/gm, "");
}

function quoted(schema: string, name: string): string {
  return [schema, name]
    .map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : pg.escapeIdentifier(part)))
    .join(".");
}
