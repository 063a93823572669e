import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, readlink, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { toBackup, type Backup } from "../../../shared/catalog/backup.ts";
import { ageDecryption, ageEncryption } from "../../../shared/catalog/encryption/age-encryption.ts";
import type { ArchivePlaces } from "../../../shared/catalog/archives/fetch-archive.ts";
import { mergedArchives } from "../../../shared/catalog/archives/merged-archives.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { DormouseError } from "../../../shared/errors.ts";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { ageKey, type AgeKey } from "../../support/age.ts";
import { aManifest } from "../../support/backups.ts";
import { embeddedStore, makeBucket, type OwnStore } from "../../support/s3.ts";
import { storeProxy } from "../../support/store-proxy.ts";
import { pieces, temporaryFolder, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const PLAIN = randomBytes(9 << 20);

describe("the file of an archive", () => {
  let store: OwnStore;
  let key: AgeKey;
  let stranger: AgeKey;
  before(async () => {
    [store, key, stranger] = await Promise.all([embeddedStore(), ageKey(), ageKey()]);
  });
  after(() => store[Symbol.asyncDispose]());

  type Given = { readonly isEncrypted?: boolean; readonly inBucket?: boolean; readonly onVolume?: boolean };

  async function setUp({ isEncrypted = false, inBucket = false, onVolume = true }: Given = {}) {
    const [volume, scratch, bucket, proxy] = await Promise.all([
      temporaryVolume(),
      temporaryFolder(),
      makeBucket(store),
      storeProxy(store.port),
    ]);
    const backup = await publishArchive(volume.path, isEncrypted);
    const mirror = bucketCatalog({ ...bucket.settings, endpoint: proxy.endpoint });
    if (inBucket) await mirror.copyIn(backup, () => volume.catalog.open(backup.name, 0, never), never);
    if (!onVolume) await rm(join(volume.path, backup.name));
    const files = (changes: Partial<ArchivePlaces> = {}) =>
      mergedArchives({
        backupDir: volume.path,
        restoreDir: scratch.path,
        fetch: inBucket ? (...asked) => mirror.open(...asked) : undefined,
        decrypt: isEncrypted ? ageDecryption(key.identity) : undefined,
        ...changes,
      });
    const open = (changes: Partial<ArchivePlaces> = {}) =>
      files(changes).open({ ...backup, format: "custom" }, never);
    return {
      backup,
      proxy,
      mirror,
      archive: join(volume.path, backup.name),
      scratch: scratch.path,
      open,
      sweep: (wanted?: string) => files().sweep("hets", wanted),
      left: () => readdir(scratch.path),
      async [Symbol.asyncDispose]() {
        for (const each of [volume, scratch, bucket, proxy]) await each[Symbol.asyncDispose]();
      },
    };
  }

  async function publishArchive(path: string, isEncrypted: boolean): Promise<Backup> {
    const startedAt = new Date("2026-11-22T01:00:00Z");
    const encrypted = isEncrypted ? ageEncryption([key.recipient]).encrypt(pieces(PLAIN)) : undefined;
    const draft = { database: "hets", run: "backup-0123456789abcdef01234567", startedAt };
    const staged = await volumeCatalog(path).stage(draft, encrypted?.archive ?? pieces(PLAIN), never);
    const { sizeBytes, sha256 } = staged;
    const encryption = encrypted && { recipients: [key.recipient], decrypted: encrypted.plain() };
    return staged.publish((name) => {
      const manifest = aManifest({ name, startedAt });
      return { ...manifest, archive: { ...manifest.archive, sizeBytes, sha256, ...encryption } };
    });
  }

  for (const isEncrypted of [false, true])
    for (const [where, places] of Object.entries({
      "on the volume": { onVolume: true },
      "in the bucket alone": { onVolume: false, inBucket: true },
      "in both places": { onVolume: true, inBucket: true },
    }))
      it(`holds the plain bytes of an ${isEncrypted ? "encrypted" : "open"} archive ${where}, and leaves nothing`, async () => {
        await using given = await setUp({ isEncrypted, ...places });

        const file = await given.open();

        assert.ok((await readFile(`/dev/fd/${file.fd}`)).equals(PLAIN));
        const place = await readlink(`/dev/fd/${file.fd}`);
        assert.equal(place === given.archive, !isEncrypted && places.onVolume);
        const chunks = await Array.fromAsync(file.bytes());
        assert.ok(Buffer.concat(chunks).equals(PLAIN));
        await file[Symbol.asyncDispose]();
        assert.deepEqual(await given.left(), []);
        if (places.onVolume) assert.ok((await readFile(given.archive)).length > 0, "the original stays");
      });

  it("comes from the bucket when the volume's archive has rotted", async () => {
    await using given = await setUp({ inBucket: true });
    await writeFile(given.archive, randomBytes(PLAIN.length));

    await using file = await given.open();

    assert.ok((await readFile(`/dev/fd/${file.fd}`)).equals(PLAIN));
  });

  it("goes on with what an earlier attempt has fetched", async () => {
    await using given = await setUp({ inBucket: true, onVolume: false });
    const fetchThenDie: ArchivePlaces["fetch"] = async (...asked) => {
      const source = await given.mirror.open(...asked);
      return (async function* () {
        let read = 0;
        for await (const chunk of source) {
          yield chunk;
          read += chunk.length;
          if (read > 4 << 20) throw new DormouseError("mirror_unreachable", "the network went away");
        }
      })();
    };
    await assert.rejects(given.open({ fetch: fetchThenDie }), { code: "mirror_unreachable" });
    const seen = given.proxy.seen.length;

    await using file = await given.open();

    assert.ok((await readFile(`/dev/fd/${file.fd}`)).equals(PLAIN));
    const ranges = given.proxy.seen.slice(seen).map(({ headers }) => headers.range);
    assert.match(ranges.join(), /^bytes=[4-9]\d{6}-$/);
  });

  it("removes what processes that were killed left of this database, and nothing else", async () => {
    await using given = await setUp({ isEncrypted: true });
    const flat = given.backup.name.replace("/", "_");
    const older = flat.replaceAll("2026-11-22", "2026-11-21");
    const others = [`${flat.replace("_hets", "_other")}.fetched`, ".tmp-notes", "notes.fetched"];
    const goesOn = `${flat}.fetched`;
    const left = [`.tmp-${flat}-0badcafe`, `.tmp-${older}-0badcafe`, `${older}.fetched`, goesOn];
    for (const name of [...left, ...others]) await writeFile(join(given.scratch, name), "plain");

    await given.sweep(given.backup.name);
    assert.deepEqual((await given.left()).toSorted(), [...others, goesOn].toSorted());
    await given.sweep();

    assert.deepEqual((await given.left()).toSorted(), others.toSorted());
  });

  it("is waited for by nothing that was left and cannot be removed", async () => {
    await using given = await setUp();
    const left = `.tmp-${given.backup.name.replace("/", "_")}-0badcafe`;
    await mkdir(join(given.scratch, left));

    await given.sweep();

    assert.deepEqual(await given.left(), [left]);
  });

  it("begins anew when what was fetched before is of something else", async () => {
    await using given = await setUp({ inBucket: true, onVolume: false });
    for (const size of [5_000, PLAIN.length + 1]) {
      const fetched = join(given.scratch, `${given.backup.name.replace("/", "_")}.fetched`);
      await writeFile(fetched, randomBytes(size));

      await using file = await given.open();

      assert.ok((await readFile(`/dev/fd/${file.fd}`)).equals(PLAIN));
    }
  });

  it("is resumed on the way when the connection breaks", async () => {
    await using given = await setUp({ inBucket: true, onVolume: false });
    let cuts = 3;
    given.proxy.set(({ method }) =>
      method === "GET" && cuts-- > 0 ? { cutAnswerAfterBytes: 1 << 20 } : undefined,
    );

    await using file = await given.open();

    assert.ok((await readFile(`/dev/fd/${file.fd}`)).equals(PLAIN));
  });

  it("is refused when bytes on the way, or at rest, are not those of the manifest", async () => {
    await using given = await setUp({ inBucket: true, onVolume: false });
    given.proxy.set(({ method }) => (method === "GET" ? { corrupt: true } : undefined));
    await assert.rejects(given.open(), { code: "archive_damaged" });
    assert.deepEqual(await given.left(), []);

    for (const isEncrypted of [false, true]) {
      await using local = await setUp({ isEncrypted });
      await truncate(local.archive, 8 << 20);
      await assert.rejects(local.open(), { code: "archive_damaged" });
      assert.deepEqual(await local.left(), []);
    }
  });

  for (const onVolume of [true, false])
    it(`reports a missing or wrong key before anything is written, ${onVolume ? "from the volume" : "from the bucket"}`, async () => {
      await using given = await setUp({ isEncrypted: true, onVolume, inBucket: !onVolume });
      await assert.rejects(given.open({ decrypt: undefined }), {
        code: "decryption_key_not_found",
        message: new RegExp(key.recipient),
      });
      await assert.rejects(given.open({ decrypt: ageDecryption(stranger.identity) }), {
        code: "decryption_key_mismatch",
      });

      assert.deepEqual(await given.left(), []);
    });

  it("is refused when its manifest bears no signature that is trusted", async () => {
    await using given = await setUp();
    const checkSignature = () => {
      throw new DormouseError("signature_invalid", "not signed");
    };

    await assert.rejects(given.open({ checkSignature }), { code: "signature_invalid" });
  });

  it("is refused when it was swapped for another one to the same recipient", async () => {
    await using given = await setUp({ isEncrypted: true });
    const forged = ageEncryption([key.recipient]).encrypt(pieces(randomBytes(PLAIN.length)));
    await writeFile(given.archive, forged.archive);

    await assert.rejects(given.open(), { code: "archive_damaged" });
  });

  it("says so when it is in no place", async () => {
    await using given = await setUp({ onVolume: false });

    await assert.rejects(given.open(), { code: "backup_not_found" });
  });

  it("is not fetched where there is no room for it", async () => {
    await using given = await setUp({ inBucket: true, onVolume: false });
    const { manifest } = given.backup;
    const huge = toBackup({ ...manifest, archive: { ...manifest.archive, sizeBytes: 2 ** 50 } });
    const files = mergedArchives({
      backupDir: "/none",
      restoreDir: given.scratch,
      fetch: (...asked) => given.mirror.open(...asked),
    });

    await assert.rejects(files.open({ ...huge, format: "custom" }, never), { code: "disk_full" });
  });
});
