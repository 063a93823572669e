import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { archiveName } from "../../shared/catalog/archive-name.ts";
import { toBackup } from "../../shared/catalog/backup.ts";
import type { PlacedListing } from "../../shared/catalog/merged-catalog.ts";
import { serialiseManifest, type BackupManifest } from "../../shared/catalog/manifest.ts";
import { manifestSigner } from "../../shared/catalog/encryption/manifest-signature.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { problemIn } from "../support/faulty.ts";
import { backupEnvironment, manifestOf, startFunction } from "../support/function-process.ts";
import { askPlan } from "../support/restore-plan.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import {
  embeddedStore,
  makeBucket,
  mirrorEnvironment,
  type OwnStore,
  type TestBucket,
} from "../support/s3.ts";
import { pieces, temporaryFolder, type Removed } from "../support/volume.ts";

const pemOf = (key: ReturnType<typeof generateKeyPairSync>["privateKey"]) =>
  key.export({ type: "pkcs8", format: "pem" }).toString();

describe("the latest where a key is set, and newer manifests bear no signature of it", () => {
  const [own, foreign] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
  const MANIFEST_SIGNING_KEY = pemOf(own.privateKey);
  const MANIFEST_PUBLIC_KEY = own.publicKey.export({ type: "spki", format: "pem" }).toString();
  let store: OwnStore;
  let stage: RestoreStage;
  let bucket: TestBucket;
  let empty: Removed;
  let signed: BackupManifest;
  let forged: readonly BackupManifest[];

  before(async () => {
    [store, stage, empty] = await Promise.all([embeddedStore(), setRestoreStage(), temporaryFolder()]);
    bucket = await makeBucket(store);
    await using backup = await startFunction("backup", {
      ...backupEnvironment(stage.server, stage.database, stage.path),
      ...mirrorEnvironment(bucket),
      MANIFEST_SIGNING_KEY,
    });
    signed = await manifestOf(await backup.post());
    forged = [newer(1), manifestSigner(pemOf(foreign.privateKey))(newer(2)), { ...newer(3), ...signature() }];
    for (const manifest of forged) await plant(manifest);
  });
  after(async () => {
    for (const each of [stage, bucket, empty, store]) await each[Symbol.asyncDispose]();
  });

  const signature = () => ({ signature: signed.signature ?? assert.fail() });

  /** The same archive under a later name, which says that it is the newest. */
  function newer(days: number): BackupManifest {
    const { signature: _, ...rest } = signed;
    const startedAt = new Date(Date.parse(signed.startedAt) + days * 86_400_000);
    return {
      ...rest,
      name: archiveName(stage.database, startedAt),
      startedAt: startedAt.toISOString(),
      sequence: signed.sequence + days,
    };
  }

  async function plant(manifest: BackupManifest): Promise<void> {
    const bytes = await readFile(join(stage.path, signed.name));
    const path = join(stage.path, manifest.name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
    await writeFile(`${path}.json`, serialiseManifest(manifest));
    await bucketCatalog(bucket.settings).copyIn(
      toBackup(manifest),
      async () => pieces(bytes),
      new AbortController().signal,
    );
  }

  const places: Readonly<Record<string, () => Readonly<Record<string, string>>>> = {
    "on the volume": () => ({}),
    "in the bucket": () => ({ ...mirrorEnvironment(bucket), BACKUP_DIR: empty.path }),
    "in both places": () => mirrorEnvironment(bucket),
  };
  for (const [where, environment] of Object.entries(places))
    it(`is the newest that the key signed, ${where}, and the others are listed as what they are`, async () => {
      const restore = await stage.start({ ...environment(), MANIFEST_PUBLIC_KEY });

      const plan = await askPlan(restore, { filename: "latest" });
      const listing = (await (await restore.get("/")).json()) as PlacedListing;

      assert.deepEqual([plan.backup?.name, plan.blockers], [signed.name, []]);
      assert.deepEqual(
        listing.backups.map(({ name }) => name),
        [signed.name],
      );
      // A backup that its key did not sign is not sent to the bucket.
      const unsigned = where === "in the bucket" ? [] : [`${stage.backup.name}.json`];
      const oneOf = [...unsigned, ...forged.map(({ name }) => `${name}.json`)];
      assert.deepEqual([...new Set(listing.foreign.map(({ path }) => path))].toSorted(), oneOf.toSorted());
      const reasons = new Map(listing.foreign.map(({ path, reason }) => [path, reason]));
      assert.deepEqual(
        oneOf.map((path) => reasons.get(path)),
        oneOf.map((_, n) => (n === oneOf.length - 1 ? "signature_invalid" : "signature_missing")),
      );
      for (const { name } of forged)
        assert.equal((await problemIn(restore.post({ filename: name }))).code, "signature_invalid");
    });
});
