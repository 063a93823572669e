import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { RunContext, RunStep } from "../../shared/run/run.ts";
import { jsonLog } from "../../shared/log.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { mirrorBackups } from "../../shared/backup/mirror-backups.ts";
import { KEEP_NOTHING } from "../support/backups.ts";
import { embeddedStore, makeBucket, type OwnStore } from "../support/s3.ts";
import { storeProxy } from "../support/store-proxy.ts";
import { publish, temporaryVolume } from "../support/volume.ts";
import type { OutcomeEvent } from "../../shared/run/run.ts";

const never = new AbortController().signal;
/** Far more than a loaded machine needs. */
const PATIENCE_MS = 300_000;

describe("mirroring a catalog", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  async function setUp({ keep = 31 } = {}) {
    const [proxy, bucket, volume] = await Promise.all([
      storeProxy(store.port),
      makeBucket(store),
      temporaryVolume(),
    ]);
    const mirror = bucketCatalog({ ...bucket.settings, endpoint: proxy.endpoint });
    const events: OutcomeEvent[] = [];
    const deps = {
      catalog: volume.catalog,
      installation: {},
      events: { send: async (event: OutcomeEvent) => void events.push(event) },
      log: jsonLog(() => undefined),
    };
    const steps: Pick<RunStep, "step" | "detail">[] = [];
    const context = (signal: AbortSignal): RunContext => ({
      run: { id: "backup-0123456789abcdef01234567" } as RunContext["run"],
      signal,
      step: async (step, detail) => void steps.push({ step, ...(detail === undefined ? {} : { detail }) }),
      amend: async () => undefined,
      isResumed: false,
      refresh: () => Promise.reject(new Error("not asked for")),
      progress: () => undefined,
      meanwhile: (task) => void task(signal),
    });
    return {
      proxy,
      bucket,
      volume,
      events,
      steps,
      run: (signal = never, timeoutMs = PATIENCE_MS) => {
        const mirroring = { mirror, keep: { ...KEEP_NOTHING, newest: keep }, timeoutMs };
        return mirrorBackups({ ...deps, mirroring }, "hets", context(signal));
      },
      publish: (day: number, bytes: Uint8Array = Buffer.from("PGDMP"), database = "hets") =>
        publish(volume.catalog, {
          database,
          bytes,
          sequence: day,
          startedAt: new Date(`2026-11-${day}T01:00:00Z`),
        }),
      mirrored: async () =>
        (await bucketCatalog(bucket.settings).list(never)).backups.map(({ sequence }) => sequence),
      problem: () => (events[0]?.data as { problem?: { code: string } } | undefined)?.problem?.code,
      async [Symbol.asyncDispose]() {
        for (const each of [bucket, proxy, volume]) await each[Symbol.asyncDispose]();
      },
    };
  }

  it("sends the newest backups of its database, as many as the bucket keeps, and what is pinned", async () => {
    await using given = await setUp({ keep: 2 });
    for (const day of [10, 11, 12, 13]) await given.publish(day);
    await given.publish(14, Buffer.from("PGDMP"), "other");
    const oldest = (await given.volume.catalog.list(never)).backups.at(-1)?.manifest;
    if (oldest !== undefined)
      await given.volume.catalog.mark(
        oldest.name,
        (manifest) => ({
          ...manifest,
          pin: { at: oldest.startedAt, by: "test" },
        }),
        never,
      );

    await given.run();

    assert.deepEqual(await given.mirrored(), [13, 12, 10]);
    assert.deepEqual(given.events, []);
  });

  it("sends only the manifest of a backup that was pinned since", async () => {
    await using given = await setUp();
    const { manifest } = await given.publish(12);
    await given.run();
    const sent = given.proxy.seen.length;
    const pin = { at: manifest.startedAt, by: "test" };
    await given.volume.catalog.mark(manifest.name, (before) => ({ ...before, pin }), never);

    await given.run();

    const puts = given.proxy.seen.slice(sent).filter(({ method }) => method === "PUT");
    assert.deepEqual(
      puts.map(({ path }) => path.includes(".bak.json")),
      [true],
    );
    assert.deepEqual(given.steps.at(-1)?.detail, { copied: [], rewritten: 1 });
  });

  it("stops when its time is over, and the next run goes on", async () => {
    await using given = await setUp();
    await given.publish(12, randomBytes(20 << 20));
    given.proxy.set(({ path }) => (path.includes("partNumber=2") ? { stall: true } : undefined));

    await given.run(never, 1_000);

    assert.equal(given.problem(), "mirror_timed_out");
    assert.deepEqual(await given.mirrored(), []);
    given.proxy.set(() => undefined);
    await given.run();
    assert.deepEqual(await given.mirrored(), [12]);
  });

  it("reports what SIGTERM left unsent, and does not throw: the backup is good", async () => {
    await using given = await setUp();
    await given.publish(12, randomBytes(20 << 20));
    const stop = new AbortController();
    given.proxy.set(({ path }) => {
      if (!path.includes("partNumber=2")) return undefined;
      stop.abort(new Error("shut down"));
      return { stall: true };
    });

    await given.run(stop.signal);

    assert.equal(given.steps.at(-1)?.step, "mirror_failed");
    assert.deepEqual(await given.mirrored(), []);
  });

  it("goes on with the others when one archive has rotted on the volume, and reports it", async () => {
    await using given = await setUp();
    for (const day of [11, 13]) await given.publish(day);
    const { name } = await given.publish(12);
    await writeFile(join(given.volume.path, name), "PGDMX");

    await given.run();

    assert.deepEqual(await given.mirrored(), [13, 11]);
    assert.equal(given.problem(), "archive_damaged");
    assert.equal(given.events[0]?.subject, name);
  });

  it("never replaces another backup of the same name", async () => {
    await using given = await setUp();
    await given.publish(12, Buffer.from("PGDMP one"));
    await given.run();
    await using other = await temporaryVolume();
    const twin = await publish(other.catalog, {
      bytes: Buffer.from("PGDMP two"),
      startedAt: new Date("2026-11-12T01:00:00Z"),
    });
    await given.volume.catalog.remove(twin.name, never);
    await given.publish(12, Buffer.from("PGDMP two"));

    await given.run();

    assert.equal(given.problem(), "mirror_conflict");
    const mirror = bucketCatalog(given.bucket.settings);
    const bytes = Buffer.concat(await Array.fromAsync(await mirror.open(twin.name, 0, never)));
    assert.equal(String(bytes), "PGDMP one");
  });

  it("sends nothing and removes nothing when the bucket cannot be listed", async () => {
    await using given = await setUp();
    await given.publish(12);
    given.proxy.set(({ method }) => (method === "GET" ? { answer: 403, code: "AccessDenied" } : undefined));

    await given.run();

    assert.equal(given.problem(), "mirror_refused");
    assert.deepEqual(new Set(given.proxy.seen.map(({ method }) => method)), new Set(["GET"]));
  });

  it("does not count an archive that was cut on the volume", async () => {
    await using given = await setUp();
    const { name } = await given.publish(12);
    await truncate(join(given.volume.path, name), 3);

    await given.run();

    assert.deepEqual(await given.mirrored(), []);
  });
});
