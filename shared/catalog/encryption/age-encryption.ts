import { ReadableStream } from "node:stream/web";
import { Decrypter, Encrypter } from "age-encryption";
import { hashing } from "../digest.ts";
import type { Decrypt, Encryption } from "../encryption.ts";
import { DormouseError } from "../../errors.ts";

/** Files of the age format (age-encryption.org/v1), which the program `age` and others read. */
export function ageEncryption(recipients: readonly string[]): Encryption {
  // Mistakes are reported at start-up, not when the first backup is due.
  encrypterFor(recipients);
  return {
    recipients,
    encrypt(archive) {
      const plain = hashing(archive);
      const encrypted = through(plain.bytes, (stream) => encrypterFor(recipients).encrypt(stream));
      return { archive: encrypted, plain: plain.digest };
    },
  };
}

function encrypterFor(recipients: readonly string[]): Encrypter {
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (error) {
      const hint = "age-keygen -y prints the recipient of a key: it begins with age1";
      const message = `AGE_RECIPIENTS holds ${JSON.stringify(recipient)}, which is no recipient of age`;
      throw new DormouseError("configuration_invalid", message, { hint, cause: error });
    }
  }
  return encrypter;
}

/** Reads what `age-keygen` wrote: a key on each line, and comments. Throws `configuration_invalid`. */
export function ageDecryption(identityFile: string): Decrypt {
  const identities = identityFile
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const decrypter = new Decrypter();
  try {
    if (identities.length === 0) throw new Error("no key in it");
    for (const identity of identities) decrypter.addIdentity(identity.trim());
  } catch {
    // Whatever was thrown may quote the line.
    throw new DormouseError(
      "configuration_invalid",
      "AGE_IDENTITY_FILE names a file that holds no key of age",
      {
        hint: "give the file that age-keygen wrote; keys of SSH and keys under a passphrase cannot be used",
      },
    );
  }
  return (archive) => decrypted(decrypter, archive);
}

async function* decrypted(
  decrypter: Decrypter,
  archive: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* through(archive, (stream) => decrypter.decrypt(stream));
  } catch (error) {
    if (error instanceof DormouseError || !(error instanceof Error) || "code" in error) throw error;
    if (error.message.startsWith("no identity matched"))
      throw new DormouseError(
        "decryption_key_mismatch",
        "none of the keys in AGE_IDENTITY_FILE opens the archive",
        {
          hint: "archive.recipients in the manifest names the keys that do",
          cause: error,
        },
      );
    throw new DormouseError("archive_damaged", `the archive cannot be decrypted: ${error.message}`, {
      hint: "its bytes were changed: take the copy in the other place, or another backup",
      cause: error,
    });
  }
}

/** The library does not cancel its source when its result is left early: a pg_dump or a connection would stay behind. */
async function* through(
  archive: AsyncIterable<Uint8Array>,
  transform: (stream: WebStream) => Promise<WebStream>,
): AsyncGenerator<Uint8Array> {
  const source = each(archive);
  try {
    yield* await transform(ReadableStream.from(source) as WebStream);
  } finally {
    await source.return(undefined);
  }
}

type WebStream = globalThis.ReadableStream<Uint8Array>;

async function* each(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined, undefined> {
  yield* archive;
}
