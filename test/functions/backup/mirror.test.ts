import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Run } from "../../../shared/run/run.ts";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { eventReceiver } from "../../support/event-receiver.ts";
import { listingOf, until } from "../../support/faulty.ts";
import {
  backupEnvironment,
  manifestOf,
  startFunction,
  type FunctionProcess,
} from "../../support/function-process.ts";
import { collect } from "../../support/postgres-adapter.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { embeddedStore, makeBucket, mirrorEnvironment, type OwnStore } from "../../support/s3.ts";
import { storeProxy } from "../../support/store-proxy.ts";
import { temporaryFolder } from "../../support/volume.ts";

const never = new AbortController().signal;
/** What no compression makes small: an archive of several parts. */
const NOISE = `CREATE TABLE noise AS
  SELECT i % 400 AS id, string_agg(md5(random()::text), '') AS text FROM generate_series(1, 600000) i GROUP BY 1`;

describe("a backup function with a bucket", () => {
  let server: TestServer;
  let noisy: string;
  let small: string;
  let store: OwnStore;

  before(async () => {
    [server, store] = await Promise.all([sharedServer(), embeddedStore()]);
    [noisy, small] = [await server.createDatabase(), await server.createDatabase()];
    await server.query(noisy, NOISE);
    await server.query(small, "CREATE TABLE t AS SELECT 1 AS a");
  });
  after(async () => {
    for (const database of [noisy, small]) await server.dropDatabase(database);
    await store[Symbol.asyncDispose]();
  });

  async function setUp(database = small) {
    const [bucket, proxy, volume, sink] = await Promise.all([
      makeBucket(store),
      storeProxy(store.port),
      temporaryFolder(),
      eventReceiver(),
    ]);
    const started: FunctionProcess[] = [];
    const environment = {
      ...backupEnvironment(server, database, volume.path),
      K_SINK: sink.url,
      S3_TIMEOUT_SECONDS: "5",
    };
    return {
      bucket,
      proxy,
      volume,
      sink,
      mirrored: async () => (await bucketCatalog(bucket.settings).list(never)).backups,
      async start(changes: Readonly<Record<string, string>> = {}) {
        const s3 = mirrorEnvironment(bucket, proxy.endpoint);
        const backup = await startFunction("backup", { ...environment, ...s3, ...changes });
        started.push(backup);
        return backup;
      },
      async [Symbol.asyncDispose]() {
        for (const backup of started) await backup[Symbol.asyncDispose]();
        for (const each of [bucket, proxy, volume, sink]) await each[Symbol.asyncDispose]();
      },
    };
  }

  const listSteps = async (backup: FunctionProcess) => {
    const { run } = await backup.logged("run succeeded");
    return ((await (await backup.get(`/runs/${String(run)}`)).json()) as Run).steps;
  };

  it("mirrors what it made, and what earlier runs made while there was no bucket", async () => {
    await using given = await setUp(noisy);
    const without = await given.start({ S3_BUCKET: "" });
    const older = await manifestOf(await without.post());
    const backup = await given.start();

    const newer = await manifestOf(await backup.post());

    const mirrored = await given.mirrored();
    assert.deepEqual(
      mirrored.map(({ manifest }) => manifest),
      [newer, older],
    );
    const bytes = await collect(await bucketCatalog(given.bucket.settings).open(newer.name, 0, never));
    assert.ok(bytes.equals(await readFile(join(given.volume.path, newer.name))));
    assert.deepEqual((await listSteps(backup)).at(-1)?.detail, {
      copied: [newer.name, older.name],
      rewritten: 0,
    });
    const sent = given.proxy.seen.filter(({ method }) => method === "PUT").map(({ path }) => path);
    assert.match(sent.at(0) ?? "", new RegExp(newer.name), "the newest first");
    assert.match(sent.at(-1) ?? "", new RegExp(`${older.name}.json`), "the manifest last");
  });

  it("keeps a good backup when the mirror fails, reports it, and catches up", async () => {
    await using given = await setUp();
    const backup = await given.start();
    given.proxy.set(({ method }) => (method === "PUT" ? { answer: 403, code: "ExpiredToken" } : undefined));

    const first = await manifestOf(await backup.post());

    const line = await backup.logged("mirror failed");
    assert.equal(line["code"], "mirror_refused");
    assert.match(String(line["hint"]), /session token/);
    assert.equal((await listSteps(backup)).at(-1)?.step, "mirror_failed");
    await until(async () => given.sink.events.length >= 2);
    assert.deepEqual(
      given.sink.events.map(({ type, subject }) => [type, subject]),
      [
        ["dev.dormouse.backup.completed", first.name],
        ["dev.dormouse.mirror.failed", first.name],
      ],
    );
    assert.doesNotMatch(JSON.stringify([backup.lines, given.sink.events]), /"S3RVER"/);
    given.proxy.set(() => undefined);
    // Nothing is dumped: a younger backup is there. What the bucket lacks is sent nevertheless.
    const again = await manifestOf(await backup.post({ ifOlderThan: "1h" }));
    assert.deepEqual(again, first);
    assert.deepEqual(
      (await given.mirrored()).map(({ name }) => name),
      [first.name],
    );
  });

  it("shows nothing of an upload that SIGKILL ended, and catches up at the next start", async () => {
    await using given = await setUp(noisy);
    const doomed = await given.start();
    given.proxy.set(({ path }) => (path.includes("partNumber=2") ? { stall: true } : undefined));
    const answer = doomed.post();
    answer.catch(() => undefined);
    await until(() => given.proxy.seen.some(({ path }) => path.includes("partNumber=2")));
    await doomed.end("SIGKILL");
    assert.deepEqual(await given.mirrored(), []);
    given.proxy.set(() => undefined);

    const next = await given.start({ RETRY_SECONDS: "600" });
    await next.logged("run resumed");
    await next.logged("run succeeded");

    const { backups } = await listingOf(next);
    assert.equal(backups.length, 1);
    assert.deepEqual(
      (await given.mirrored()).map(({ name }) => name),
      [backups[0]?.name],
    );
  });

  it("goes on counting where the bucket is when the volume is a new one", async () => {
    await using given = await setUp();
    const before = await given.start();
    await before.post();
    await before.post();
    await before.end("SIGKILL");
    // A child of the killed process may still be writing.
    await rm(given.volume.path, { recursive: true, maxRetries: 20 });
    await using volume = await temporaryFolder();

    const backup = await given.start({ BACKUP_DIR: volume.path });
    const { sequence } = await manifestOf(await backup.post());

    assert.equal(sequence, 3);
  });

  it("counts beyond any count when the volume is new and the bucket cannot be asked", async () => {
    await using given = await setUp();
    const backup = await given.start();
    given.proxy.set(() => ({ answer: 403, code: "AccessDenied" }));

    const { sequence } = await manifestOf(await backup.post());

    assert.ok(sequence > 1_700_000_000, String(sequence));
  });

  it("refuses a key without its secret, and a file of certificates that holds none", async () => {
    await using given = await setUp();

    await assert.rejects(given.start({ AWS_SECRET_ACCESS_KEY: "" }), /AWS_SECRET_ACCESS_KEY go together/);
    for (const name of ["S3_CA_FILE", "TRUSTED_CA_FILE"])
      await assert.rejects(given.start({ [name]: "/etc/hostname" }), new RegExp(`${name} .*no certificate`));
  });
});
