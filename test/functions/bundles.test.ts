import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import { ageKey } from "../support/age.ts";
import { backupEnvironment, manifestOf, startFunction } from "../support/function-process.ts";
import { setRestoreStage } from "../support/restore-stage.ts";
import { embeddedStore, makeBucket, mirrorEnvironment } from "../support/s3.ts";
import { temporaryFolder } from "../support/volume.ts";

/** A whole zod is five times as much, and takes a third of a start. */
const MOST_BYTES_AT_ONCE = 120_000;
const skip = existsSync("node_modules/esbuild") ? false : "esbuild is not installed";

describe("the bundles", { skip }, () => {
  before(async () => {
    // Where all tests run the bundles, they are there, and in use.
    if (process.env["DORMOUSE_TEST_DIST"] !== undefined) return;
    await execa(process.execPath, ["scripts/build.ts"]);
    process.env["DORMOUSE_TEST_DIST"] = "dist";
    after(() => delete process.env["DORMOUSE_TEST_DIST"]);
  });

  for (const name of ["backup", "cull", "restore"]) {
    it(`of ${name} loads little before it listens`, async () => {
      const loaded = await loadedAtOnce(join("dist", name), "main.mjs");
      assert.ok(loaded < MOST_BYTES_AT_ONCE, `${loaded} bytes`);
    });
  }

  it("encrypt, mirror and restore from the bucket: what they load late is whole", async () => {
    await using store = await embeddedStore();
    await using bucket = await makeBucket(store);
    await using empty = await temporaryFolder();
    await using scratch = await temporaryFolder();
    await using stage = await setRestoreStage();
    const key = await ageKey();
    const AGE_IDENTITY_FILE = join(scratch.path, "key");
    await writeFile(AGE_IDENTITY_FILE, key.identity);

    const { name } = await mirrored();
    await stage.destroyData();
    const restore = await stage.start({
      ...mirrorEnvironment(bucket),
      BACKUP_DIR: empty.path,
      AGE_IDENTITY_FILE,
    });
    await stage.readResult(restore.post({ filename: name }));

    assert.deepEqual(await stage.fingerprint(), stage.original);

    async function mirrored(): Promise<BackupManifest> {
      await using backup = await startFunction("backup", {
        ...backupEnvironment(stage.server, stage.database, stage.path),
        ...mirrorEnvironment(bucket),
        AGE_RECIPIENTS: key.recipient,
      });
      const manifest = await manifestOf(await backup.post());
      assert.ok((await bucket.keys()).includes(`${manifest.name}.json`), JSON.stringify(backup.lines));
      assert.deepEqual(manifest.archive.recipients, [key.recipient]);
      return manifest;
    }
  });
});

/** Bytes of a chunk and of those that it cannot do without. */
async function loadedAtOnce(folder: string, chunk: string, seen = new Set<string>()): Promise<number> {
  if (seen.has(chunk)) return 0;
  seen.add(chunk);
  const code = await readFile(join(folder, chunk), "utf8");
  let bytes = code.length;
  for (const [, needed = ""] of code.matchAll(/(?:from|import)"\.\/([^"]+)"/g))
    bytes += await loadedAtOnce(folder, needed, seen);
  return bytes;
}
