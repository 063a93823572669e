import { readFileSync } from "node:fs";
import type { CheckSignature, Decrypt, Encryption, JudgeSignature, SignManifest } from "../encryption.ts";
import { manifestSigner, signatureChecker, signatureJudge } from "./manifest-signature.ts";
import { DormouseError } from "../../errors.ts";
import type { DecryptionConfig, EncryptionConfig } from "../../config/encryption-config.ts";

export type WriterKeys = {
  readonly encryption?: Encryption | undefined;
  readonly sign?: SignManifest | undefined;
};

/** For whoever writes archives. The library is loaded only where it is asked for, and keys are read at once. */
export async function writerKeys(config: EncryptionConfig): Promise<WriterKeys> {
  const { AGE_RECIPIENTS: recipients, MANIFEST_SIGNING_KEY: key } = config;
  const sign = key === undefined ? undefined : manifestSigner(key);
  if (recipients === undefined) return { sign };
  const { ageEncryption } = await import("./age-encryption.ts");
  return { encryption: ageEncryption(recipients), sign };
}

export type ReaderKeys = {
  readonly decrypt: Decrypt | undefined;
  readonly checkSignature: CheckSignature | undefined;
  /** For lists. */
  readonly judge: JudgeSignature | undefined;
};

/** For whoever reads them. */
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
    return readFileSync(path, "utf8");
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
