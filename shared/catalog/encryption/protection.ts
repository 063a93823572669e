import type { CheckSignature, Decrypt, Encryption, JudgeSignature, SignManifest } from "../encryption.ts";
import { manifestSigner, publicKeyOf, signatureChecker, signatureJudge } from "./manifest-signature.ts";
import { DormouseError } from "../../errors.ts";
import type { DecryptionConfig, EncryptionConfig } from "../../config/encryption-config.ts";
import { readKeyFile } from "../../config/key-file.ts";

export type WriterKeys = {
  /** Unset: archives are stored as pg_dump wrote them. */
  readonly encryption?: Encryption | undefined;
  /** Unset: manifests bear no signature. */
  readonly sign?: SignManifest | undefined;
  /** For lists: what the writer signed itself, and what the public keys beside it did, is believed. */
  readonly judge?: JudgeSignature | undefined;
};

/** For functions that write archives. The library is loaded only where it is asked for, and keys are read at once. */
export async function writerKeys(config: EncryptionConfig & Partial<DecryptionConfig>): Promise<WriterKeys> {
  const { AGE_RECIPIENTS: recipients, MANIFEST_SIGNING_KEY: key, MANIFEST_PUBLIC_KEY: others = "" } = config;
  const signing =
    key === undefined
      ? {}
      : { sign: manifestSigner(key), judge: signatureJudge(`${publicKeyOf(key)}${others}`) };
  if (recipients === undefined) return signing;
  const { ageEncryption } = await import("./age-encryption.ts");
  return { encryption: ageEncryption(recipients), ...signing };
}

export type ReaderKeys = {
  readonly decrypt: Decrypt | undefined;
  readonly checkSignature: CheckSignature | undefined;
  /** For lists. */
  readonly judge: JudgeSignature | undefined;
};

/** For functions that read archives. */
export async function readerKeys(config: Partial<DecryptionConfig>): Promise<ReaderKeys> {
  const { AGE_IDENTITY_FILE: path, MANIFEST_PUBLIC_KEY: key } = config;
  const checkSignature = key === undefined ? undefined : signatureChecker(key);
  const judge = key === undefined ? undefined : signatureJudge(key);
  if (path === undefined) return { decrypt: undefined, checkSignature, judge };
  const identities = readKeys(path);
  const { ageDecryption } = await import("./age-encryption.ts");
  return { decrypt: ageDecryption(identities), checkSignature, judge };
}

function readKeys(path: string): string {
  try {
    return readKeyFile(path);
  } catch (error) {
    throw new DormouseError(
      "configuration_invalid",
      `AGE_IDENTITY_FILE names ${path}, which cannot be read`,
      {
        hint: "mount the Secret with the key there",
        cause: error,
      },
    );
  }
}
