import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { cullEnvironment } from "../support/culled.ts";
import { states, toReport } from "../support/doctor-report.ts";
import { startFunction } from "../support/function-process.ts";
import { embeddedStore, makeBucket, mirrorEnvironment, type OwnStore } from "../support/s3.ts";
import { storeProxy, type Seen } from "../support/store-proxy.ts";
import { temporaryFolder } from "../support/volume.ts";

/** Of the object, not of the list. */
const isRead = ({ method, path }: Seen) => method === "GET" && path.includes("/doctor-");

describe("GET /doctor with a bucket", () => {
  let store: OwnStore;
  before(async () => {
    store = await embeddedStore();
  });
  after(() => store[Symbol.asyncDispose]());

  async function setUp(changes: Readonly<Record<string, string>> = {}) {
    const [bucket, proxy, volume] = await Promise.all([
      makeBucket(store),
      storeProxy(store.port),
      temporaryFolder(),
    ]);
    const environment = { ...mirrorEnvironment(bucket, proxy.endpoint), S3_PREFIX: "hets", ...changes };
    const cull = await startFunction("cull", cullEnvironment(volume.path, environment));
    return {
      bucket,
      proxy,
      report: () => toReport(cull),
      async [Symbol.asyncDispose]() {
        for (const each of [cull, bucket, proxy, volume]) await each[Symbol.asyncDispose]();
      },
    };
  }

  it("sends an object, reads it back and removes it", async () => {
    await using given = await setUp();

    const { healthy, findings } = await given.report();

    assert.equal(healthy, true, JSON.stringify(findings));
    assert.deepEqual(states(findings), { volume: "good", mirror: "good", callers: "warning" });
    assert.deepEqual(
      given.proxy.seen.map(({ method }) => method),
      ["GET", "PUT", "HEAD", "GET", "DELETE"],
    );
    for (const { path } of given.proxy.seen.slice(1)) assert.match(path, /\/hets\/doctor-/);
    assert.deepEqual(await given.bucket.keys(), []);
  });

  it("finds a cull at fault that may not remove", async () => {
    await using given = await setUp();
    given.proxy.set(({ method }) =>
      method === "DELETE" ? { answer: 403, code: "AccessDenied" } : undefined,
    );

    const { healthy, findings } = await given.report();

    assert.equal(healthy, false);
    const fault = findings.find(({ state }) => state === "fault");
    assert.match(fault?.detail ?? "", /delete in bucket/);
    assert.match(fault?.fix ?? "", /s3:DeleteObject/);
  });

  it("leaves one object where nothing can be removed, however often it is asked", async () => {
    await using given = await setUp();
    given.proxy.set(({ method }) =>
      method === "DELETE" ? { answer: 403, code: "AccessDenied" } : undefined,
    );

    for (let time = 1; time <= 3; time++) await given.report();

    assert.deepEqual(await given.bucket.keys(), ["hets/doctor-cull.bak.json"]);
  });

  it("finds no fault because another examination has removed the object", async () => {
    await using given = await setUp();
    let isRemoved = false;
    given.proxy.set((request) => {
      if (!isRead(request) || isRemoved) return undefined;
      isRemoved = true;
      return { answer: 404, code: "NoSuchKey" };
    });

    const { findings } = await given.report();

    assert.ok(isRemoved);
    assert.deepEqual(
      states(findings),
      { volume: "good", mirror: "good", callers: "warning" },
      JSON.stringify(findings),
    );
    assert.deepEqual(await given.bucket.keys(), []);
  });

  it("finds a store at fault that never has what it took", async () => {
    await using given = await setUp();
    given.proxy.set((request) => (isRead(request) ? { answer: 404, code: "NoSuchKey" } : undefined));

    assert.equal((await given.report()).healthy, false);
  });

  it("warns when it may not send, which only a backup needs, and lists", async () => {
    await using given = await setUp();
    given.proxy.set(({ method }) => (method === "PUT" ? { answer: 403, code: "AccessDenied" } : undefined));

    const { healthy, findings } = await given.report();

    assert.equal(healthy, true, JSON.stringify(findings));
    const [works, warning] = findings.filter(({ check }) => check === "mirror");
    assert.match(works?.detail ?? "", /list, head, get, delete work/);
    assert.match(warning?.detail ?? "", /put in bucket/);
    assert.match(warning?.fix ?? "", /s3:PutObject/);
  });

  it("finds a store at fault that gives back other bytes, and leaves nothing there", async () => {
    await using given = await setUp();
    given.proxy.set((request) => (isRead(request) ? { corrupt: true } : undefined));

    const { healthy, findings } = await given.report();

    assert.equal(healthy, false);
    assert.match(findings.find(({ state }) => state === "fault")?.detail ?? "", /other bytes/);
    assert.deepEqual(await given.bucket.keys(), []);
  });

  it("says what to change if there is no such bucket, and shows no key", async () => {
    await using given = await setUp({ S3_BUCKET: "no-such-bucket" });

    const { healthy, findings } = await given.report();

    assert.equal(healthy, false);
    assert.match(findings.find(({ check }) => check === "mirror")?.fix ?? "", /S3_BUCKET/);
    assert.doesNotMatch(JSON.stringify(findings), /S3RVER/);
  });
});
