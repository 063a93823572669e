import type { BackupManifest } from "./manifest.ts";

export type EncryptedArchive = {
  readonly archive: AsyncIterable<Uint8Array>;
  /** What went in. Only when `archive` has been read to its end. */
  readonly plain: () => { readonly sizeBytes: number; readonly sha256: string };
};

/** Encrypts to the holders of the private keys; none of these is here. */
export type Encryption = {
  readonly recipients: readonly string[];
  encrypt(archive: AsyncIterable<Uint8Array>): EncryptedArchive;
};

/**
 * The plain archive. Throws `decryption_key_mismatch` before the first byte if no key fits, and `archive_damaged` where the bytes were
 * changed: what came before that is true, but not whole, so use it only after the end.
 */
export type Decrypt = (archive: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

export type SignManifest = (manifest: BackupManifest) => BackupManifest;

/** `changed` after one of the trusted keys signed it, or `unknown`: it bears no signature of any of them. */
export type JudgeSignature = (manifest: BackupManifest) => {
  readonly verdict: "trusted" | "changed" | "unknown";
  readonly why: string;
};

/** Throws `signature_invalid` unless one of the trusted keys signed it. */
export type CheckSignature = (manifest: BackupManifest) => void;
