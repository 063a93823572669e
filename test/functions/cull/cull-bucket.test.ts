import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { serialiseManifest } from "../../../shared/catalog/manifest.ts";
import type { ManifestGiven } from "../../support/backups.ts";
import { cull, daysOf } from "../../support/culled.ts";
import { reportOfBucket, setMirroredCull } from "../../support/mirrored-cull.ts";
import { embeddedStore, type OwnStore } from "../../support/s3.ts";

const PIN = { at: "2025-11-30T00:00:00Z", by: "ada" };

describe("a cull function with a bucket", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  it("culls each place by what lies there, with its own count", async () => {
    await using given = await setMirroredCull(store, { onVolume: 4, inBucket: 6 });
    const culler = await given.start({ S3_NUM_BACKUPS: "3" });

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    const bucket = reportOfBucket(report);
    assert.deepEqual(daysOf(bucket.removed), ["11-01", "11-02", "11-03"]);
    assert.deepEqual([bucket.place, bucket.kept, bucket.remaining], ["bucket", 3, []]);
    assert.deepEqual(await given.onVolume(), ["11-04", "11-03"]);
    assert.deepEqual(await given.mirrored(), ["11-06", "11-05", "11-04"]);
    const requests = given.proxy.seen.filter(({ method }) => method === "DELETE");
    assert.equal(requests.length, 6, "one for each object");
    assert.match(requests[0]?.path ?? "", /2025-11-01.*\.bak\.json/, "the oldest manifest first");
    assert.deepEqual(await given.events(), [
      ["dev.dormouse.cull.completed", "volume"],
      ["dev.dormouse.cull.completed", "bucket"],
    ]);
  });

  it("keeps a backup of each of as many days in the bucket, however many one day had", async () => {
    const lastDay = (index: number) => new Date(Date.UTC(2025, 10, 4, 1 + index));
    await using given = await setMirroredCull(store, { onVolume: 1, inBucket: 8 }, (index) =>
      index > 3 ? { startedAt: lastDay(index) } : {},
    );
    const culler = await given.start({ S3_NUM_BACKUPS: "3" });

    await cull(culler);

    assert.deepEqual(await given.mirrored(), ["11-04", "11-04", "11-04", "11-03", "11-02"]);
  });

  it("keeps as many in the bucket as on the volume where nothing else is said, and shows the plan first", async () => {
    await using given = await setMirroredCull(store, { onVolume: 3, inBucket: 4 });
    const culler = await given.start();

    const dry = reportOfBucket(await cull(culler, { dryRun: true }));
    const untouched = await given.mirrored();
    const done = reportOfBucket(await cull(culler));

    assert.deepEqual([dry.removed, untouched.length], [[], 4]);
    assert.deepEqual(dry.databases, done.databases);
    assert.deepEqual(daysOf(done.removed), ["11-01", "11-02"]);
  });

  it("keeps what is pinned in either place, and the newest verified of the bucket", async () => {
    await using given = await setMirroredCull(store, { onVolume: 2, inBucket: 4 }, (index): ManifestGiven =>
      index === 1 ? { pin: PIN } : {},
    );
    // Pinned on the volume since the last backup run: the bucket does not know it yet.
    const [first] = given.backups;
    assert.ok(first);
    await writeFile(
      join(given.volume.path, `${first.name}.json`),
      serialiseManifest({ ...first.manifest, pin: PIN }),
    );
    const culler = await given.start({ NUM_BACKUPS: "1" });

    const report = reportOfBucket(await cull(culler));

    assert.deepEqual(daysOf(report.removed), ["11-03"]);
    const rules = report.databases[0]?.keep.map(
      ({ name, reasons }) => `${name.slice(5, 10)} ${reasons.map(({ rule }) => rule).join(" ")}`,
    );
    assert.match(rules?.find((rule) => rule.startsWith("11-04")) ?? "", /newest_verified/);
    assert.deepEqual(await given.mirrored(), ["11-04", "11-02", "11-01"]);
  });

  it("speaks of no bucket where there is none", async () => {
    await using given = await setMirroredCull(store, { onVolume: 3, inBucket: 3 });
    const culler = await given.start({ S3_BUCKET: "" });

    const report = await cull(culler);

    assert.equal("bucket" in report, false);
    assert.deepEqual(given.proxy.seen, []);
  });
});
