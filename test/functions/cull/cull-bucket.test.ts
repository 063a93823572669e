import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { CullReport } from "../../../functions/cull/cull-report.ts";
import { serialiseManifest } from "../../../shared/catalog/manifest.ts";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import type { CullPlacesReport } from "../../../functions/cull/cull-places.ts";
import type { ManifestGiven } from "../../support/backups.ts";
import { cull, cullEnvironment, daysOf, fillVolume } from "../../support/culled.ts";
import { eventReceiver } from "../../support/event-receiver.ts";
import { until } from "../../support/faulty.ts";
import { startFunction, type FunctionProcess } from "../../support/function-process.ts";
import { embeddedStore, makeBucket, mirrorEnvironment, type OwnStore } from "../../support/s3.ts";
import { storeProxy, type Seen } from "../../support/store-proxy.ts";
import { pieces, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const PIN = { at: "2025-11-30T00:00:00Z", by: "ada" };
/** The same in both places: they are of one installation. */
const ORIGIN = { namespace: "hets", service: "postgresql", system: "7312345678901234567" };
const isListing = ({ path }: Seen) => path.includes("list-type=2");
const isRemoval = ({ method }: Seen) => method === "DELETE";

describe("a cull function with a bucket", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  /** A volume with `onVolume` backups, and a bucket with `inBucket` of the same. */
  async function setUp(
    onVolume: number,
    inBucket: number,
    given: (index: number) => ManifestGiven = () => ({}),
  ) {
    const [bucket, proxy, volume, elsewhere, sink] = await Promise.all([
      makeBucket(store),
      storeProxy(store.port),
      temporaryVolume(),
      temporaryVolume(),
      eventReceiver(),
    ]);
    await fillVolume(volume.path, onVolume, () => ({ origin: ORIGIN }));
    const mirror = bucketCatalog(bucket.settings);
    const backups = await fillVolume(elsewhere.path, inBucket, (index) => ({
      origin: ORIGIN,
      ...given(index),
    }));
    for (const backup of backups)
      await mirror.copyIn(backup, async () => pieces(`PGDMP ${backup.name}`), never);
    const started: FunctionProcess[] = [];
    return {
      bucket,
      proxy,
      volume,
      sink,
      backups,
      mirrored: async () => daysOf((await mirror.list(never)).backups),
      onVolume: async () => daysOf((await volume.catalog.list(never)).backups),
      async start(changes: Readonly<Record<string, string>> = {}) {
        const s3 = { ...mirrorEnvironment(bucket, proxy.endpoint), S3_TIMEOUT_SECONDS: "20" };
        const environment = { NUM_BACKUPS: "2", K_SINK: sink.url, ...s3, ...changes };
        const culler = await startFunction("cull", cullEnvironment(volume.path, environment));
        started.push(culler);
        return culler;
      },
      async [Symbol.asyncDispose]() {
        for (const culler of started) await culler[Symbol.asyncDispose]();
        for (const each of [bucket, proxy, volume, elsewhere, sink]) await each[Symbol.asyncDispose]();
      },
    };
  }

  it("culls each place by what lies there, with its own count", async () => {
    await using given = await setUp(4, 6);
    const culler = await given.start({ S3_NUM_BACKUPS: "3" });

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    const bucket = reportIn(report);
    assert.deepEqual(daysOf(bucket.removed), ["11-01", "11-02", "11-03"]);
    assert.deepEqual([bucket.place, bucket.kept, bucket.remaining], ["bucket", 3, []]);
    assert.deepEqual(await given.onVolume(), ["11-04", "11-03"]);
    assert.deepEqual(await given.mirrored(), ["11-06", "11-05", "11-04"]);
    const requests = given.proxy.seen.filter(isRemoval);
    assert.equal(requests.length, 6, "one for each object");
    assert.match(requests[0]?.path ?? "", /2025-11-01.*\.bak\.json/, "the oldest manifest first");
    await until(async () => given.sink.events.length >= 2);
    assert.deepEqual(
      given.sink.events.map(({ type, subject }) => [type, subject]),
      [
        ["dev.dormouse.cull.completed", "volume"],
        ["dev.dormouse.cull.completed", "bucket"],
      ],
    );
  });

  it("keeps a backup of each of as many days in the bucket, however many one day had", async () => {
    const lastDay = (index: number) => new Date(Date.UTC(2025, 10, 4, 1 + index));
    await using given = await setUp(1, 8, (index) => (index > 3 ? { startedAt: lastDay(index) } : {}));
    const culler = await given.start({ S3_NUM_BACKUPS: "3" });

    await cull(culler);

    assert.deepEqual(await given.mirrored(), ["11-04", "11-04", "11-04", "11-03", "11-02"]);
  });

  it("keeps as many in the bucket as on the volume where nothing else is said, and shows the plan first", async () => {
    await using given = await setUp(3, 4);
    const culler = await given.start();

    const dry = reportIn(await cull(culler, { dryRun: true }));
    const untouched = await given.mirrored();
    const done = reportIn(await cull(culler));

    assert.deepEqual([dry.removed, untouched.length], [[], 4]);
    assert.deepEqual(dry.databases, done.databases);
    assert.deepEqual(daysOf(done.removed), ["11-01", "11-02"]);
  });

  it("keeps what is pinned in either place, and the newest verified of the bucket", async () => {
    await using given = await setUp(2, 4, (index): ManifestGiven => (index === 1 ? { pin: PIN } : {}));
    // Pinned on the volume since the last backup run: the bucket does not know it yet.
    const [first] = given.backups;
    assert.ok(first);
    await writeFile(
      join(given.volume.path, `${first.name}.json`),
      serialiseManifest({ ...first.manifest, pin: PIN }),
    );
    const culler = await given.start({ NUM_BACKUPS: "1" });

    const report = reportIn(await cull(culler));

    assert.deepEqual(daysOf(report.removed), ["11-03"]);
    const rules = report.databases[0]?.keep.map(
      ({ name, reasons }) => `${name.slice(5, 10)} ${reasons.map(({ rule }) => rule).join(" ")}`,
    );
    assert.match(rules?.find((rule) => rule.startsWith("11-04")) ?? "", /newest_verified/);
    assert.deepEqual(await given.mirrored(), ["11-04", "11-02", "11-01"]);
  });

  it("removes nothing from a bucket whose list fails on its second page, and culls the volume", async () => {
    await using given = await setUp(4, 4);
    const culler = await given.start();
    const page = "<IsTruncated>true</IsTruncated><NextContinuationToken>two</NextContinuationToken>";
    given.proxy.set((request) => {
      if (!isListing(request)) return undefined;
      return request.path.includes("continuation-token")
        ? { answer: 500, code: "InternalError" }
        : { answer: 200, code: "", body: `<ListBucketResult>${page}</ListBucketResult>` };
    });

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    assert.equal(toProblem(report)?.code, "mirror_unreachable");
    assert.deepEqual(given.proxy.seen.filter(isRemoval), []);
    assert.equal((await given.mirrored()).length, 4);
    assert.equal((await culler.logged("cull failed"))["place"], "bucket");
    await until(async () => given.sink.events.length >= 2);
    assert.deepEqual(
      given.sink.events.map(({ type, subject }) => [type, subject]),
      [
        ["dev.dormouse.cull.completed", "volume"],
        ["dev.dormouse.cull.failed", "bucket"],
      ],
    );
  });

  it("reports a removal that is denied, what went before it, and goes on when it is allowed", async () => {
    await using given = await setUp(1, 5);
    const culler = await given.start();
    given.proxy.set((request) =>
      isRemoval(request) && request.path.includes("2025-11-02")
        ? { answer: 403, code: "AccessDenied" }
        : undefined,
    );

    const problem = toProblem(await cull(culler));
    const left = await given.mirrored();
    given.proxy.set(() => undefined);
    const rest = reportIn(await cull(culler));

    assert.equal(problem?.code, "mirror_refused");
    assert.match(problem?.message ?? "", /stopped at 2025-11-02.*removed 1 of 3 \(2025-11-01/);
    assert.match(problem?.hint ?? "", /s3:DeleteObject/);
    assert.deepEqual(left, ["11-05", "11-04", "11-03", "11-02"]);
    assert.deepEqual(daysOf(rest.removed), ["11-02", "11-03"]);
  });

  for (const [what, meets, headers, why] of [
    [
      "a lock keeps",
      ({ method }: Seen) => method === "HEAD",
      { "x-amz-object-lock-legal-hold": "ON" },
      /lock/,
    ],
    ["versions keep", isRemoval, { "x-amz-delete-marker": "true" }, /versions/],
  ] as const)
    it(`does not count as removed what ${what}`, async () => {
      await using given = await setUp(1, 3);
      const culler = await given.start();
      given.proxy.set((request) =>
        meets(request) ? { answer: isRemoval(request) ? 204 : 200, code: "", body: "", headers } : undefined,
      );

      const report = reportIn(await cull(culler));

      assert.deepEqual([report.removed, report.bytesFreed, report.kept], [[], 0, 3]);
      assert.match(report.remaining[0]?.why ?? "", why);
    });

  it("finishes what a killed process had half removed", async () => {
    await using given = await setUp(1, 3);
    const doomed = await given.start();
    const isArchive = (request: Seen) => isRemoval(request) && !request.path.includes(".json");
    given.proxy.set((request) => (isArchive(request) ? { stall: true } : undefined));
    await doomed.ping();
    await until(() => given.proxy.seen.some(isArchive));
    await doomed.end("SIGKILL");
    const half = await given.bucket.keys();
    given.proxy.set(() => undefined);

    const next = await given.start();
    await next.logged("run succeeded");

    assert.deepEqual(half.filter((key) => key.includes("2025-11-01")).length, 1);
    assert.deepEqual(
      (await given.bucket.keys()).filter((key) => key.includes("2025-11-01")),
      [],
    );
    assert.deepEqual(await given.mirrored(), ["11-03", "11-02"]);
  });

  it("speaks of no bucket where there is none", async () => {
    await using given = await setUp(3, 3);
    const culler = await given.start({ S3_BUCKET: "" });

    const report = await cull(culler);

    assert.equal("bucket" in report, false);
    assert.deepEqual(given.proxy.seen, []);
  });
});

function reportIn({ bucket }: CullPlacesReport): CullReport {
  assert.ok(bucket !== undefined && !("problem" in bucket), JSON.stringify(bucket));
  return bucket;
}

function toProblem({ bucket }: CullPlacesReport) {
  return bucket !== undefined && "problem" in bucket ? bucket.problem : undefined;
}
