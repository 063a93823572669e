import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { serialiseManifest, withMarks } from "../../../shared/catalog/manifest.ts";
import type { Backup } from "../../../shared/catalog/backup.ts";
import { cull, cullEnvironment, fillVolume } from "../../support/culled.ts";
import { startFunction, type FunctionProcess } from "../../support/function-process.ts";
import {
  embeddedStore,
  makeBucket,
  mirrorEnvironment,
  type OwnStore,
  type TestBucket,
} from "../../support/s3.ts";
import { storeProxy, type StoreProxy } from "../../support/store-proxy.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

const BACKUPS = 25;
const ADOPTED = "monthly/2024-03-05/postgresql-hets_2024-03-05_01-00-00.sql.gz";

describe("a cull of a bucket whose manifests are known", () => {
  let store: OwnStore;
  let proxy: StoreProxy;
  let bucket: TestBucket;
  let volume: Removed;
  let culler: FunctionProcess;
  let mirrored: readonly Backup[];

  beforeEach(async () => {
    store = await embeddedStore();
    proxy = await storeProxy(store.port);
    bucket = await makeBucket(store);
    volume = await temporaryFolder();
    // Only in the bucket, as far more are after some months.
    await using other = await temporaryFolder();
    mirrored = await fillVolume(other.path, BACKUPS, (index) => ({
      origin: { namespace: "hets" },
      ...(index === 1 ? { name: ADOPTED } : {}),
    }));
    for (const { name } of mirrored)
      for (const Key of [name, `${name}.json`]) await put(Key, await readFile(join(other.path, Key)));
    // The volume knows whose they are.
    await fillVolume(volume.path, 1, () => ({ sequence: BACKUPS + 1, origin: { namespace: "hets" } }));
    culler = await startFunction("cull", {
      ...cullEnvironment(volume.path),
      ...mirrorEnvironment(bucket, proxy.endpoint),
    });
  });

  afterEach(async () => {
    await culler[Symbol.asyncDispose]();
    for (const each of [bucket, proxy, volume, store]) await each[Symbol.asyncDispose]();
  });

  const put = (Key: string, Body: string | Buffer) =>
    bucket.client.send(new PutObjectCommand({ Bucket: bucket.settings.bucket, Key, Body }));
  const known = () => join(volume.path, ".dormouse", "bucket-2025-11.json");
  /** What one dry run keeps in the bucket, and for which objects it asks. */
  const run = async () => {
    const before = proxy.seen.length;
    const { bucket: report } = await cull(culler, { dryRun: true });
    const asked = proxy.seen.slice(before).map(({ path }) => path.split("?")[0] ?? "");
    return { report, objects: asked.filter((path) => path.endsWith(".json")).length };
  };

  it("asks for each manifest once, and then for the listing alone", async () => {
    const first = await run();
    const second = await run();

    assert.equal(first.objects, BACKUPS);
    assert.equal(second.objects, 0);
    assert.deepEqual(second.report, first.report);
  });

  it("asks for that which has changed, and believes what it gets", async () => {
    await run();
    const [oldest] = mirrored;
    assert.ok(oldest);
    const pin = { at: "2026-11-01T00:00:00Z", by: "a test" };
    await put(
      `${oldest.name}.json`,
      serialiseManifest(withMarks(oldest.manifest, { ...oldest.manifest, pin })),
    );

    const { report, objects } = await run();

    assert.equal(objects, 1);
    assert.ok(report && "databases" in report);
    const kept = report.databases.flatMap(({ keep }) => keep).find(({ name }) => name === oldest.name);
    assert.ok(kept?.reasons.some(({ rule }) => rule === "pinned"));
  });

  for (const [what, change] of [
    [
      "tells other manifests",
      (text: string) => text.replaceAll(String.raw`\"sequence\": 1,`, String.raw`\"sequence\": 9,`),
    ],
    ["is cut short", (text: string) => text.slice(0, -100)],
    ["is empty", () => ""],
  ] as const)
    it(`asks the store where what is known ${what}`, async () => {
      const { report } = await run();
      const text = await readFile(known(), "utf8");
      const changed = change(text);
      assert.notEqual(changed, text);
      await writeFile(known(), changed);

      const now = await run();

      assert.deepEqual(now.report, report);
      assert.ok(now.objects > 0);
      assert.equal((await run()).objects, 0);
    });
});
