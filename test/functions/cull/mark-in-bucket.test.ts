import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import { cull, fillVolume } from "../../support/culled.ts";
import { problemIn } from "../../support/faulty.ts";
import { ORIGIN, setMirroredCull } from "../../support/mirrored-cull.ts";
import { embeddedStore, type OwnStore } from "../../support/s3.ts";
import { temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;

describe("a mark on a backup", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  /** Three backups in the bucket; the volume has only the oldest. */
  async function setUp() {
    const given = await setMirroredCull(store, { onVolume: 1, inBucket: 3 });
    const culler = await given.start({ NUM_BACKUPS: "1" });
    const [onVolume, onlyInBucket] = given.backups;
    assert.ok(onVolume && onlyInBucket);
    return {
      ...given,
      onVolume,
      onlyInBucket,
      culler,
      manifestOf: async (body: object) => (await (await culler.post(body)).json()) as BackupManifest,
      manifestInBucket: async (name: BackupManifest["name"]) =>
        (await given.mirror.find(name, never))?.manifest,
    };
  }

  it("is made in the bucket where the volume has lost it, and taken away there", async () => {
    await using given = await setUp();
    const { name } = given.onlyInBucket;

    const pinned = await given.manifestOf({ pin: name, reason: "the audit" });
    const acknowledged = await given.manifestOf({ acknowledge: name });
    const report = await cull(given.culler);

    assert.deepEqual([pinned.pin?.reason, pinned.pin?.by], ["the audit", "anyone"]);
    assert.ok(acknowledged.acknowledged);
    assert.deepEqual(await given.manifestInBucket(name), acknowledged);
    assert.deepEqual(await given.mirrored(), ["11-03", "11-02"]);
    assert.ok(report.bucket);

    const unpinned = await given.manifestOf({ unpin: name });
    await cull(given.culler);

    assert.equal(unpinned.pin, undefined);
    assert.deepEqual(await given.mirrored(), ["11-03"]);
  });

  it("is made on the volume where that has it, and asks the bucket nothing", async () => {
    await using given = await setUp();
    const { name } = given.onVolume;

    const pinned = await given.manifestOf({ pin: name });

    assert.ok(pinned.pin);
    assert.deepEqual(given.proxy.seen, []);
  });

  it("is not made where the bucket refuses to be written, and says what to allow", async () => {
    await using given = await setUp();
    const { name, manifest } = given.onlyInBucket;
    given.proxy.set(({ method }) => (method === "PUT" ? { answer: 403, code: "AccessDenied" } : undefined));

    const { code, hint } = await problemIn(given.culler.post({ pin: name }));

    assert.equal(code, "mirror_refused");
    assert.match(hint ?? "", /s3:PutObject/);
    assert.deepEqual(await given.manifestInBucket(name), manifest);
  });

  it("is not made on another's backup in the same bucket", async () => {
    await using given = await setUp();
    await using others = await temporaryVolume();
    const foreign = [{ ...ORIGIN, namespace: "hets-dev" }, undefined];
    const theirs = await fillVolume(others.path, 2, (index) => ({
      startedAt: new Date(Date.UTC(2025, 10, 20 + index)),
      ...(foreign[index] === undefined ? {} : { origin: foreign[index] }),
    }));
    await given.copyIn(theirs);

    for (const { name, manifest } of theirs) {
      for (const mark of ["pin", "unpin", "acknowledge"]) {
        const { status, code, detail } = await problemIn(given.culler.post({ [mark]: name }));

        assert.deepEqual([status, code], [422, "backup_elsewhere"]);
        assert.match(detail, /comes from elsewhere: (?:namespace hets-dev|unknown)/);
      }
      assert.deepEqual(await given.manifestInBucket(name), manifest);
    }
  });

  it("is not made on what neither place has", async () => {
    await using given = await setUp();

    const name = given.onVolume.name.replaceAll("11-01", "01-01");
    const { code } = await problemIn(given.culler.post({ pin: name }));

    assert.equal(code, "backup_not_found");
  });
});
