import type { Log } from "../../log.ts";
import type { DecryptionConfig, EncryptionConfig } from "../../config/encryption-config.ts";
import { bucketSettings, type MirrorConfig } from "../../config/mirror-config.ts";

type Config = MirrorConfig & EncryptionConfig & Partial<DecryptionConfig>;

/** Settings and keys that cannot be used are refused before a function listens, not when the first backup is due. */
export async function validateKeysAndBucket(config: Config, log: Log): Promise<void> {
  bucketSettings(config);
  const { AGE_RECIPIENTS, MANIFEST_SIGNING_KEY, AGE_IDENTITY_FILE, MANIFEST_PUBLIC_KEY } = config;
  const asked = [AGE_RECIPIENTS, MANIFEST_SIGNING_KEY, AGE_IDENTITY_FILE, MANIFEST_PUBLIC_KEY];
  if (asked.every((value) => value === undefined)) return;
  const { readerKeys, writerKeys } = await import("./protection.ts");
  await Promise.all([writerKeys(config), readerKeys(config)]);
  if (AGE_RECIPIENTS !== undefined && MANIFEST_SIGNING_KEY === undefined)
    log.warn("archives are encrypted, but nothing proves their origin: set MANIFEST_SIGNING_KEY");
}
