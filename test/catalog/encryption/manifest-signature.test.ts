import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import {
  MARKS,
  parseManifest,
  serialiseManifest,
  type BackupManifest,
} from "../../../shared/catalog/manifest.ts";
import { manifestSigner, signatureChecker } from "../../../shared/catalog/encryption/manifest-signature.ts";
import { aManifest } from "../../support/backups.ts";

function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    secret: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    open: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

const [one, other] = [keyPair(), keyPair()];
const written = (manifest: BackupManifest) => parseManifest(manifest.name, serialiseManifest(manifest));
const signed = written(manifestSigner(one.secret)({ ...aManifest(), later: { b: 1, a: [{ d: 1, c: 2 }] } }));

describe("the signature of a manifest", () => {
  /** Each mark as it is set; a new one has to be listed here. */
  const MARKED: Required<Pick<BackupManifest, (typeof MARKS)[number]>> = {
    pin: { at: "2026-11-23T00:00:00.000Z", by: "test", reason: "the audit" },
    acknowledged: { at: "2026-11-23T00:00:00.000Z", by: "test" },
    verification: { level: "compared", at: "2026-11-23T00:00:00.000Z" },
  };
  for (const mark of MARKS)
    it(`is good before and after ${mark} is set`, () => {
      assert.equal(signed.signature === undefined, false);
      signatureChecker(one.open)(written({ ...signed, [mark]: MARKED[mark] }));
      signatureChecker(one.open)(
        written({ ...signed, [mark]: undefined, verification: signed.verification }),
      );
    });

  it("is found good, also while a key is being changed, and after the backup was pinned and verified", () => {
    const pin = { at: "2026-11-23T00:00:00.000Z", by: "test" };
    const verification = { level: "compared", at: "2026-11-23T00:00:00.000Z" } as const;

    signatureChecker(one.open)(signed);
    signatureChecker(other.open + one.open)(signed);
    signatureChecker(one.open)(written({ ...signed, pin, verification }));
  });

  it("does not depend on the order of the fields", () => {
    const turned = Object.fromEntries(Object.entries(signed).toReversed()) as BackupManifest;

    signatureChecker(one.open)(turned);
  });

  for (const [what, change] of Object.entries({
    "another hash": { archive: { ...signed.archive, sha256: "0".repeat(64) } },
    "another size": { archive: { ...signed.archive, sizeBytes: 1 } },
    "another command": { restoreByHand: "rm -rf /" },
    "another sequence": { sequence: 99 },
    "other rows": { content: { ...signed.content, rows: 0 } },
    "a field more": { extra: true },
    "a field of a later version changed": { later: {} },
    "no signature": { signature: undefined },
    "half a signature": {
      signature: { algorithm: "ed25519", key: signed.signature?.key ?? "", value: "AAAA" },
    },
  } satisfies Record<string, Partial<BackupManifest>>))
    it(`is refused with ${what}`, () => {
      const forged = { ...signed, ...change } as BackupManifest;

      assert.throws(() => signatureChecker(one.open)(forged), { code: "signature_invalid" });
    });

  it("is refused when another key made it", () => {
    const forged = manifestSigner(other.secret)(aManifest());

    assert.throws(() => signatureChecker(one.open)(forged), {
      code: "signature_invalid",
      message: /not trusted/,
    });
  });

  it("is made and looked at with Ed25519 keys only, and no message repeats a key", () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const secret = rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const open = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();

    for (const wrong of ["", "a secret", secret, one.open])
      assert.throws(() => manifestSigner(wrong), {
        code: "configuration_invalid",
        message: /^MANIFEST_SIGNING_KEY is no/,
      });
    for (const wrong of ["", "a secret", open, one.secret])
      assert.throws(() => signatureChecker(wrong), {
        code: "configuration_invalid",
        message: /^MANIFEST_PUBLIC_KEY is no/,
      });
  });
});
