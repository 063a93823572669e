import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { ageEncryption } from "../../shared/catalog/encryption/age-encryption.ts";
import { ageKey, type AgeKey } from "../support/age.ts";
import { assertLoadsWhatWasVerified, dumpTo, forgedDatabase } from "../support/exchanged.ts";
import { manifestOf, startFunction } from "../support/function-process.ts";
import { collect } from "../support/postgres-adapter.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import {
  embeddedStore,
  makeBucket,
  mirrorEnvironment,
  type OwnStore,
  type TestBucket,
} from "../support/s3.ts";
import { pieces, temporaryFolder, type Removed } from "../support/volume.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const MANIFEST_SIGNING_KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const MANIFEST_PUBLIC_KEY = publicKey.export({ type: "spki", format: "pem" }).toString();

type Stored = { readonly read: () => Promise<Buffer>; readonly replace: (bytes: Buffer) => Promise<void> };

/** What is loaded is a copy in RESTORE_DIR, decrypted or fetched: what it was made of may change as it likes. */
describe("an archive that is restored by a copy, swapped between its verification and its load", () => {
  let store: OwnStore;
  let stage: RestoreStage;
  let bucket: TestBucket;
  let empty: Removed;
  let scratch: Removed;
  let key: AgeKey;
  const names = { plain: "", encrypted: "" };
  const forged: Record<"plain" | "encrypted", Buffer> = { plain: Buffer.of(), encrypted: Buffer.of() };

  before(async () => {
    [store, stage, key, empty, scratch] = await Promise.all([
      embeddedStore(),
      setRestoreStage(),
      ageKey(),
      temporaryFolder(),
      temporaryFolder(),
    ]);
    bucket = await makeBucket(store);
    const AGE_RECIPIENTS = key.recipient;
    for (const [kind, keys] of [
      ["plain", {}],
      ["encrypted", { AGE_RECIPIENTS }],
    ] as const) {
      const environment = {
        ...stage.environment,
        ...mirrorEnvironment(bucket),
        MANIFEST_SIGNING_KEY,
        ...keys,
      };
      await using backup = await startFunction("backup", environment);
      names[kind] = (await manifestOf(await backup.post({ label: kind }))).name;
    }
    const path = join(scratch.path, "forged");
    await dumpTo(stage, await forgedDatabase(stage), path);
    forged.plain = await readFile(path);
    forged.encrypted = await collect(ageEncryption([key.recipient]).encrypt(pieces(forged.plain)).archive);
    await writeFile(join(scratch.path, "key"), key.identity);
  });
  after(async () => {
    for (const each of [stage, bucket, empty, scratch, store]) await each[Symbol.asyncDispose]();
  });

  const onVolume = (name: string): Stored => ({
    read: () => readFile(join(stage.path, name)),
    replace: (bytes) => writeFile(join(stage.path, name), bytes),
  });
  const byRename = (name: string): Stored => ({
    ...onVolume(name),
    async replace(bytes) {
      const path = join(stage.path, name);
      await writeFile(`${path}.new`, bytes);
      await rename(`${path}.new`, path);
    },
  });
  const inBucket = (name: string): Stored => {
    const object = () => ({ Bucket: bucket.settings.bucket, Key: name });
    return {
      async read() {
        const { Body } = await bucket.client.send(new GetObjectCommand(object()));
        return Buffer.from((await Body?.transformToByteArray()) ?? []);
      },
      replace: async (Body) => void (await bucket.client.send(new PutObjectCommand({ ...object(), Body }))),
    };
  };

  const attacks = [
    ["encrypted", "in-place", "on the volume, by other bytes in it", onVolume],
    ["encrypted", "swap", "on the volume, by other bytes in it", onVolume],
    ["encrypted", "swap", "on the volume, by a rename", byRename],
    ["encrypted", "swap", "in the bucket alone", inBucket],
    ["plain", "in-place", "in the bucket alone", inBucket],
    ["plain", "swap", "in the bucket alone", inBucket],
  ] as const;
  for (const [kind, strategy, where, place] of attacks)
    it(`is not loaded: ${kind}, ${strategy}, ${where}`, async () => {
      const filename = names[kind];
      const stored = place(filename);
      const good = await stored.read();
      const environment = {
        ...mirrorEnvironment(bucket),
        ...(place === inBucket ? { BACKUP_DIR: empty.path } : {}),
        RESTORE_DIR: scratch.path,
        AGE_IDENTITY_FILE: join(scratch.path, "key"),
        MANIFEST_PUBLIC_KEY,
      };

      const exchange = () => stored.replace(forged[kind]);
      await assertLoadsWhatWasVerified(stage, { filename, strategy, environment, exchange });

      assert.ok((await stored.read()).equals(forged[kind]), "it was exchanged");
      await stored.replace(good);
    });
});
