import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { execa } from "execa";
import { ageDecryption, ageEncryption } from "../../../shared/catalog/encryption/age-encryption.ts";
import { DormouseError } from "../../../shared/errors.ts";
import { ageKey, hasAge, type AgeKey } from "../../support/age.ts";
import { collect } from "../../support/postgres-adapter.ts";
import { pieces, temporaryFolder } from "../../support/volume.ts";

const CHUNK = 64 << 10;

describe("age encryption", () => {
  let one: AgeKey;
  let other: AgeKey;
  before(async () => {
    [one, other] = await Promise.all([ageKey(), ageKey()]);
  });

  const encrypt = async (bytes: Uint8Array, recipients = [one.recipient]) =>
    collect(ageEncryption(recipients).encrypt(pieces(bytes)).archive);

  for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 1_000_003]) {
    it(`gives back ${size} bytes to each recipient, and reports what went in`, async () => {
      const bytes = randomBytes(size);
      const encrypted = ageEncryption([one.recipient, other.recipient]).encrypt(
        pieces(bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)),
      );
      const archive = await collect(encrypted.archive);

      for (const { identity } of [one, other])
        assert.ok((await collect(ageDecryption(identity)(pieces(archive)))).equals(bytes));
      assert.deepEqual(encrypted.plain(), {
        sizeBytes: size,
        sha256: createHash("sha256").update(bytes).digest("hex"),
      });
      if (size > 16) assert.equal(archive.includes(bytes.subarray(0, 16)), false);
    });
  }

  it("is opened by no other key", async () => {
    const archive = await encrypt(randomBytes(CHUNK));

    await assert.rejects(collect(ageDecryption(other.identity)(pieces(archive))), {
      code: "decryption_key_mismatch",
    });
  });

  it("refuses every archive that was cut or changed", async () => {
    const archive = await encrypt(randomBytes(3 * CHUNK));
    const decrypt = ageDecryption(one.identity);
    const cuts = [0, 10, 200, CHUNK, archive.length - CHUNK - 16, archive.length - 1];
    for (const length of cuts)
      await assert.rejects(
        collect(decrypt(pieces(archive.subarray(0, length)))),
        { code: "archive_damaged" },
        `${length}`,
      );
    // The last byte of the header's MAC, the nonce, and one in each chunk.
    const header = archive.indexOf("\n---") + 48;
    for (const at of [header, header + 5, header + 100, header + CHUNK + 100, archive.length - 1]) {
      const changed = Buffer.from(archive);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await assert.rejects(collect(decrypt(pieces(changed))), { code: "archive_damaged" }, `${at}`);
    }
  });

  it("passes on what fails at the source, and ends a source that is not read any more", async () => {
    const failure = new DormouseError("dump_failed", "pg_dump failed");
    let isEnded = false;
    async function* failing() {
      yield randomBytes(CHUNK);
      throw failure;
    }
    async function* endless() {
      try {
        while (true) yield randomBytes(CHUNK);
      } finally {
        isEnded = true;
      }
    }
    const encryption = ageEncryption([one.recipient]);

    await assert.rejects(collect(encryption.encrypt(failing()).archive), failure);
    let read = 0;
    for await (const chunk of encryption.encrypt(endless()).archive) {
      read += chunk.length;
      if (read > 2 * CHUNK) break;
    }
    assert.equal(isEnded, true);
  });

  it("reads what age-keygen wrote, and refuses anything else without repeating it", async () => {
    const archive = await encrypt(Buffer.from("PGDMP"));
    const file = `# created: 2026-11-22T01:00:00Z\n# public key: ${one.recipient}\n${one.identity}\n`;

    assert.equal(String(await collect(ageDecryption(file)(pieces(archive)))), "PGDMP");
    for (const wrong of ["", "# nothing\n", "ssh-ed25519 AAAAC3Nz", `${one.identity}X`, one.recipient])
      assert.throws(
        () => ageDecryption(wrong),
        (error: DormouseError) => {
          assert.equal(error.code, "configuration_invalid");
          return wrong === "" || !`${error.message}${error.hint}`.includes(wrong);
        },
      );
    assert.throws(() => ageEncryption([one.recipient, "age1nobody"]), { code: "configuration_invalid" });
  });

  it("is understood by the program age, and understands it", async (test) => {
    if (!(await hasAge(test))) return;
    await using folder = await temporaryFolder();
    const [key, ours, theirs] = ["key", "ours", "theirs"].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ];
    const bytes = randomBytes(300_001);
    await writeFile(key, one.identity);
    await writeFile(ours, await encrypt(bytes, [other.recipient, one.recipient]));

    const { stdout } = await execa("age", ["--decrypt", "--identity", key, ours], { encoding: "buffer" });
    await execa("age", ["--recipient", one.recipient, "--output", theirs], { input: bytes });
    const plain = await collect(ageDecryption(one.identity)(pieces(await readFile(theirs))));

    assert.ok(Buffer.from(stdout).equals(bytes));
    assert.ok(plain.equals(bytes));
  });
});
