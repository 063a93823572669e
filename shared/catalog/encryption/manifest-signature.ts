import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import type { CheckSignature, JudgeSignature, SignManifest } from "../encryption.ts";
import { signedContent } from "../signed-content.ts";
import { untrusted } from "../trusted-listing.ts";
import { DormouseError } from "../../errors.ts";

/** Signs with a private Ed25519 key in PEM, as `openssl genpkey -algorithm ed25519` writes it. */
export function manifestSigner(pem: string): SignManifest {
  const key = readKey("MANIFEST_SIGNING_KEY", () => createPrivateKey(pem));
  const id = computeId(createPublicKey(key));
  return (manifest) => ({
    ...manifest,
    signature: {
      algorithm: "ed25519",
      key: id,
      value: sign(undefined, Buffer.from(signedContent(manifest)), key).toString("base64"),
    },
  });
}

/** The public half of what signs, in PEM. */
export function publicKeyOf(pem: string): string {
  const key = readKey("MANIFEST_SIGNING_KEY", () => createPrivateKey(pem));
  return createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
}

const PEM = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;

export function signatureChecker(pem: string): CheckSignature {
  const judge = signatureJudge(pem);
  return (manifest) => {
    const { verdict, why } = judge(manifest);
    if (verdict !== "trusted") throw untrusted(manifest.name, why);
  };
}

/** Trusts each public key in `pem`: the new one and the one before it, while a key is being changed. */
export function signatureJudge(pem: string): JudgeSignature {
  const keys = readKey("MANIFEST_PUBLIC_KEY", () => pem.match(PEM)?.map((one) => createPublicKey(one)) ?? []);
  if (keys.length === 0 || keys.some((key) => key.asymmetricKeyType !== "ed25519"))
    throw unusable("MANIFEST_PUBLIC_KEY");
  const trusted = new Map(keys.map((key) => [computeId(key), key]));
  return (manifest) => {
    const { signature } = manifest;
    if (signature === undefined) return { verdict: "unknown", why: "it bears no signature" };
    const key = trusted.get(signature.key);
    if (key === undefined) return { verdict: "unknown", why: `key ${signature.key} is not trusted` };
    const content = Buffer.from(signedContent(manifest));
    return verify(undefined, content, key, Buffer.from(signature.value, "base64"))
      ? { verdict: "trusted", why: "a trusted key signed it" }
      : { verdict: "changed", why: "it was changed after it was signed" };
  };
}

function readKey<Key>(variable: string, read: () => Key): Key {
  try {
    const key = read();
    const type = (key as { asymmetricKeyType?: string }).asymmetricKeyType ?? "ed25519";
    if (type !== "ed25519") throw new Error(type);
    return key;
  } catch {
    // The cause may quote the key.
    throw unusable(variable);
  }
}

function computeId(key: KeyObject): string {
  const der = key.export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("hex").slice(0, 16);
}

function unusable(variable: string): DormouseError {
  return new DormouseError("configuration_invalid", `${variable} is no Ed25519 key in PEM`, {
    hint: "openssl genpkey -algorithm ed25519 makes a key, openssl pkey -pubout prints its public half",
  });
}
