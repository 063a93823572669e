import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { PlacedListing } from "../../../shared/catalog/merged-catalog.ts";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { ageKey, type AgeKey } from "../../support/age.ts";
import { preload, problemIn } from "../../support/faulty.ts";
import { backupEnvironment, manifestOf, startFunction } from "../../support/function-process.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";
import {
  embeddedStore,
  makeBucket,
  mirrorEnvironment,
  type OwnStore,
  type TestBucket,
} from "../../support/s3.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

describe("a restore with nothing but the bucket", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const MANIFEST_SIGNING_KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const MANIFEST_PUBLIC_KEY = publicKey.export({ type: "spki", format: "pem" }).toString();
  let store: OwnStore;
  let key: AgeKey;
  let stage: RestoreStage;
  let bucket: TestBucket;
  let empty: Removed;
  let scratch: Removed;

  before(async () => {
    [store, key] = await Promise.all([embeddedStore(), ageKey()]);
  });
  after(() => store[Symbol.asyncDispose]());
  beforeEach(async () => {
    stage = await setRestoreStage();
    [bucket, empty, scratch] = await Promise.all([makeBucket(store), temporaryFolder(), temporaryFolder()]);
  });
  afterEach(async () => {
    for (const each of [stage, bucket, empty, scratch]) await each[Symbol.asyncDispose]();
  });

  async function mirrored(changes: Readonly<Record<string, string>> = {}): Promise<BackupManifest> {
    const environment = backupEnvironment(stage.server, stage.database, stage.path);
    await using backup = await startFunction("backup", {
      ...environment,
      ...mirrorEnvironment(bucket),
      ...changes,
    });
    const manifest = await manifestOf(await backup.post());
    assert.deepEqual(
      backup.lines.filter(({ message }) => message === "mirror failed"),
      [],
    );
    return manifest;
  }

  const start = (changes: Readonly<Record<string, string>> = {}) =>
    stage.start({
      ...mirrorEnvironment(bucket),
      BACKUP_DIR: empty.path,
      RESTORE_DIR: scratch.path,
      ...changes,
    });

  it("lists what the bucket has, and puts it back", async () => {
    await mirrored();
    await stage.destroyData();
    const restore = await start();

    const { backups } = (await (await restore.get("/")).json()) as PlacedListing;
    const result = await stage.readResult(restore.post({ filename: "latest" }));

    assert.deepEqual(
      backups.map(({ places }) => places),
      [["bucket"], ["bucket"]],
    );
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.equal(result.compared?.rows, stage.backup.content.rows);
  });

  it("puts an encrypted and signed backup back, and refuses it without its key", async () => {
    const { name } = await mirrored({ AGE_RECIPIENTS: key.recipient, MANIFEST_SIGNING_KEY });
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    const AGE_IDENTITY_FILE = join(scratch.path, "key");

    const without = await start();
    assert.equal((await problemIn(without.post({ filename: name }))).code, "decryption_key_not_found");
    await writeFile(AGE_IDENTITY_FILE, (await ageKey()).identity);
    const wrong = await start({ AGE_IDENTITY_FILE });
    assert.equal((await problemIn(wrong.post({ filename: name }))).code, "decryption_key_mismatch");
    assert.deepEqual(await stage.fingerprint(), destroyed);
    await writeFile(AGE_IDENTITY_FILE, key.identity);
    const restore = await start({ AGE_IDENTITY_FILE, MANIFEST_PUBLIC_KEY });
    await stage.readResult(restore.post({ filename: name }));

    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("has a blocker in its plan if RESTORE_DIR has no room for the copies that it needs, and only then", async () => {
    const signed = await mirrored({ MANIFEST_SIGNING_KEY });
    const encrypted = await mirrored({ AGE_RECIPIENTS: key.recipient, MANIFEST_SIGNING_KEY });
    const RESTORE_DIR = scratch.path;
    const full = { ...preload("faults-preload.ts"), DORMOUSE_TEST_FULL: RESTORE_DIR };
    const [onVolume, empties] = [{ BACKUP_DIR: stage.path }, { BACKUP_DIR: empty.path }];
    const keyed = { MANIFEST_PUBLIC_KEY };
    const { sizeBytes } = signed.archive;
    const plain = Number(encrypted.archive.decrypted?.sizeBytes);
    const needs = [
      [onVolume, signed, {}, undefined],
      [onVolume, signed, keyed, sizeBytes],
      [onVolume, encrypted, {}, plain],
      [onVolume, encrypted, keyed, plain],
      [empties, signed, {}, sizeBytes],
      [empties, encrypted, keyed, encrypted.archive.sizeBytes + plain],
    ] as const;
    for (const [place, { name }, keys, bytes] of needs) {
      await using restore = await start({ ...place, ...keys, ...full, RESTORE_DIR });
      const { blockers } = await askPlan(restore, { filename: name });
      const told = blockers.map(({ kind, detail }) => [kind, detail]);
      const detail = `RESTORE_DIR needs ${bytes} bytes for a copy of ${name}, 0 are free`;
      assert.deepEqual(told, bytes === undefined ? [] : [["restore-dir-full", detail]]);
    }
  });

  it("refuses a manifest that was changed in the bucket, and an unsigned one", async () => {
    await mirrored();
    const signed = await mirrored({ MANIFEST_SIGNING_KEY });
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    const forged = { ...signed, content: { ...signed.content, rows: 0 } };
    await bucketCatalog(bucket.settings).rewrite(forged, new AbortController().signal);
    const restore = await start({ MANIFEST_PUBLIC_KEY });

    for (const filename of [signed.name, stage.backup.name])
      assert.equal((await problemIn(restore.post({ filename }))).code, "signature_invalid");

    assert.deepEqual(await stage.fingerprint(), destroyed);
  });

  it("restores from the volume while the bucket cannot be asked, and says why it is not listed", async () => {
    await stage.destroyData();
    const restore = await start({ BACKUP_DIR: stage.path, S3_BUCKET: "dormouse-nowhere" });

    const { bucketProblem } = (await (await restore.get("/")).json()) as PlacedListing;
    await stage.readResult(restore.post({ filename: stage.backup.name }));

    assert.equal(bucketProblem?.code, "mirror_refused");
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });
});
