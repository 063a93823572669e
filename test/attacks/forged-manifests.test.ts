import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { toBackup } from "../../shared/catalog/backup.ts";
import { parseManifest, serialiseManifest } from "../../shared/catalog/manifest.ts";
import { manifestSigner } from "../../shared/catalog/encryption/manifest-signature.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { cull, cullEnvironment, daysOf, DAY_MS, fillVolume, FIRST_AT } from "../support/culled.ts";
import { startFunction } from "../support/function-process.ts";
import { embeddedStore, makeBucket, mirrorEnvironment } from "../support/s3.ts";
import { pieces, temporaryVolume } from "../support/volume.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const sign = manifestSigner(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
const MANIFEST_PUBLIC_KEY = publicKey.export({ type: "spki", format: "pem" }).toString();
const never = new AbortController().signal;

/** Four signed backups, and three of another writer, which say that they are much newer. */
async function forgedVolume() {
  const volume = await temporaryVolume();
  const backups = await fillVolume(volume.path, 4);
  for (const { name, manifest } of backups)
    await writeFile(join(volume.path, `${name}.json`), serialiseManifest(sign(manifest)));
  await fillVolume(volume.path, 3, (index) => ({
    startedAt: new Date(FIRST_AT.getTime() + (10 + index) * DAY_MS),
    sequence: 9_000 + index,
  }));
  const start = (changes: Readonly<Record<string, string>> = {}) =>
    startFunction(
      "cull",
      cullEnvironment(volume.path, { NUM_BACKUPS: "2", MANIFEST_PUBLIC_KEY, ...changes }),
    );
  return { ...volume, start, backups };
}

describe("forged manifests", () => {
  it("do not make another installation's backups one's own", async () => {
    await using store = await embeddedStore();
    await using bucket = await makeBucket(store);
    await using volume = await temporaryVolume();
    await using others = await temporaryVolume();
    const own = { namespace: "hets", service: "postgresql", system: "7312345678901234567" };
    const other = { ...own, system: "7399999999999999999" };
    for (const { name, manifest } of await fillVolume(volume.path, 1, () => ({ origin: own })))
      await writeFile(join(volume.path, `${name}.json`), serialiseManifest(sign(manifest)));
    await fillVolume(volume.path, 2, (index) => ({
      startedAt: new Date(FIRST_AT.getTime() + (10 + index) * DAY_MS),
      sequence: 9_000 + index,
      origin: { ...own, formerly: [other.system] },
    }));
    const theirs = await fillVolume(others.path, 3, () => ({ origin: other }));
    for (const { name, manifest } of theirs)
      await bucketCatalog(bucket.settings).copyIn(
        toBackup(sign(manifest)),
        async () => pieces(`PGDMP ${name}`),
        never,
      );
    const before = await bucket.keys();
    const environment = { NUM_BACKUPS: "1", MANIFEST_PUBLIC_KEY, ...mirrorEnvironment(bucket) };
    await using culler = await startFunction("cull", cullEnvironment(volume.path, environment));

    const report = await cull(culler);

    assert.ok(report.bucket !== undefined && "elsewhere" in report.bucket);
    assert.equal(report.bucket.elsewhere[0]?.backups, 3);
    assert.deepEqual(await bucket.keys(), before);
  });

  it("displace no signed backup, do not go themselves, and stop nothing", async () => {
    await using volume = await forgedVolume();
    await using culler = await volume.start();

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    assert.deepEqual([report.refused, report.foreignEntries], [[], 3]);
    const { backups } = await volume.catalog.list(never);
    assert.deepEqual(daysOf(backups), ["11-13", "11-12", "11-11", "11-04", "11-03"]);
  });

  it("are the newest where no key is set", async () => {
    await using volume = await forgedVolume();
    await using culler = await volume.start({ MANIFEST_PUBLIC_KEY: "" });

    assert.deepEqual(daysOf((await cull(culler)).removed), ["11-01", "11-02", "11-03", "11-04", "11-11"]);
  });

  it("stop the cull of their database where they are signed ones that were changed", async () => {
    await using volume = await forgedVolume();
    const { name = "" } = volume.backups[0] ?? {};
    const path = join(volume.path, `${name}.json`);
    const signed = parseManifest(name as never, await readFile(path, "utf8"));
    await writeFile(path, serialiseManifest({ ...signed, sequence: 99 }));
    await using culler = await volume.start();

    const report = await cull(culler);

    assert.deepEqual(report.removed, []);
    assert.match(report.refused[0]?.detail ?? "", /2025-11-01.*changed after it was signed/);
  });
});
