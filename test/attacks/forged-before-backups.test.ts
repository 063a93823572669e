import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { toBackup, type Backup } from "../../shared/catalog/backup.ts";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { serialiseManifest, type BackupManifest } from "../../shared/catalog/manifest.ts";
import { manifestSigner } from "../../shared/catalog/encryption/manifest-signature.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { fillVolume } from "../support/culled.ts";
import { listingOf } from "../support/faulty.ts";
import { manifestOf, startFunction } from "../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import { embeddedStore, makeBucket, mirrorEnvironment, type OwnStore } from "../support/s3.ts";
import { temporaryVolume } from "../support/volume.ts";

const FORGED_SEQUENCE = 2 ** 50;
const FORGED_SYSTEM = "7399999999999999999";
const never = new AbortController().signal;

function makeKeys() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const MANIFEST_SIGNING_KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const MANIFEST_PUBLIC_KEY = publicKey.export({ type: "spki", format: "pem" }).toString();
  return { MANIFEST_SIGNING_KEY, MANIFEST_PUBLIC_KEY, sign: manifestSigner(MANIFEST_SIGNING_KEY) };
}

/** Manifests with a young date, with the highest number and with a system of others as one's own. */
describe("manifests that the backup function's key did not sign", () => {
  const [own, other] = [makeKeys(), makeKeys()];
  const { MANIFEST_SIGNING_KEY } = own;
  let store: OwnStore;
  let stage: RestoreStage;
  before(async () => void ([store, stage] = await Promise.all([embeddedStore(), setRestoreStage()])));
  after(async () => {
    for (const each of [stage, store]) await each[Symbol.asyncDispose]();
  });

  async function plant(path: string, sign: (manifest: BackupManifest) => BackupManifest, minutes = 1) {
    const [forged = assert.fail()] = await fillVolume(path, 1, () => ({
      database: stage.database,
      startedAt: new Date(Date.now() - minutes * 60_000),
      sequence: FORGED_SEQUENCE,
      origin: { namespace: "hets", service: stage.server.host, formerly: [FORGED_SYSTEM] },
    }));
    const manifest = sign(forged.manifest);
    await writeFile(join(path, `${forged.name}.json`), serialiseManifest(manifest));
    return manifest;
  }

  const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
    startFunction("backup", {
      ...stage.environment,
      BACKUP_DIR: path,
      MIN_INTERVAL_MINUTES: "10",
      MANIFEST_SIGNING_KEY,
      ...changes,
    });

  const forgeries: Readonly<Record<string, (manifest: BackupManifest) => BackupManifest>> = {
    "bears no signature": (manifest) => manifest,
    "is signed by another key": other.sign,
    "was changed after it was signed": (manifest) => ({ ...own.sign(manifest), databaseComment: "changed" }),
  };
  for (const [what, sign] of Object.entries(forgeries))
    it(`is not young enough, gives no number and no origin, and is not sent: one that ${what}`, async () => {
      await using volume = await temporaryVolume();
      await using bucket = await makeBucket(store);
      const forged = await plant(volume.path, sign);
      await using backup = await start(volume.path, mirrorEnvironment(bucket));

      await backup.ping();
      await backup.logged("run succeeded");

      const taken = await onlyOther(volume.catalog, forged);
      assert.ok(taken.sequence < FORGED_SEQUENCE, `${taken.sequence}`);
      assert.doesNotMatch(JSON.stringify(taken.manifest.origin), new RegExp(FORGED_SYSTEM));
      const { backups } = await bucketCatalog(bucket.settings).list(never);
      assert.deepEqual(
        backups.map(({ name }) => name),
        [taken.name],
      );
      assert.deepEqual(
        (await listingOf(backup)).foreign.map(({ path }) => path),
        [`${forged.name}.json`],
      );
    });

  it("give no number from the bucket, and none that an honest one may have has to follow it there", async () => {
    await using volume = await temporaryVolume();
    await using elsewhere = await temporaryVolume();
    await using bucket = await makeBucket(store);
    const forged = await plant(elsewhere.path, other.sign);
    await bucketCatalog(bucket.settings).copyIn(
      toBackup(forged),
      () => elsewhere.catalog.open(forged.name, 0, never),
      never,
    );
    await using backup = await start(volume.path, mirrorEnvironment(bucket));

    const { sequence } = await manifestOf(await backup.post());

    assert.ok(sequence > 1_000_000 && sequence < FORGED_SEQUENCE, `${sequence}`);
  });

  it("count where the key before it did, and its public half is given", async () => {
    await using volume = await temporaryVolume();
    const before = await plant(volume.path, other.sign);
    await using backup = await start(volume.path, { MANIFEST_PUBLIC_KEY: other.MANIFEST_PUBLIC_KEY });

    await backup.ping();
    await backup.logged("step found");
    const { sequence } = await manifestOf(await backup.post());

    assert.equal(sequence, before.sequence + 1);
  });

  it("give a safety backup no number", async () => {
    const forged = await plant(stage.path, (manifest) => manifest, 60);
    const restore = await stage.start({ MANIFEST_SIGNING_KEY });

    await stage.readResult(restore.post({ filename: stage.backup.name, strategy: "in-place" }));

    const { backups } = await volumeCatalog(stage.path).list(never);
    const safety = backups.find(({ manifest: { run } }) => run.startsWith("restore-"));
    assert.ok(safety !== undefined && safety.sequence < forged.sequence, `${safety?.sequence}`);
  });
});

async function onlyOther(catalog: Catalog, forged: BackupManifest): Promise<Backup> {
  const { backups } = await catalog.list(never);
  const [taken = assert.fail("no backup was taken"), ...rest] = backups.filter(
    ({ name }) => name !== forged.name,
  );
  assert.deepEqual(rest, []);
  return taken;
}
