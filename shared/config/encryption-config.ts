import * as z from "zod/mini";
import { variable } from "./config.ts";
import { path, text } from "./rules.ts";

const recipients = z.pipe(
  z.string().check(z.refine((list) => split(list).length > 0)),
  z.transform((list: string): readonly string[] => split(list)),
);

function split(list: string): string[] {
  return list.split(/[,\s]+/).filter((one) => one !== "");
}

/** For functions that write archives: public keys, and the key that signs. */
export const encryptionVariables = {
  AGE_RECIPIENTS: variable(z.optional(recipients), {
    description:
      "Public keys of age, to each of which every archive is encrypted. Give two: a lost key is lost data. Unset: archives are not encrypted.",
    allowed: "recipients that begin with `age1`, separated by commas or white space",
  }),
  MANIFEST_SIGNING_KEY: variable(z.optional(text), {
    description:
      "Signs each manifest, so that a swapped archive is noticed. With encryption it should be set: public keys prove no author.",
    allowed: "a private Ed25519 key in PEM",
    isSecret: true,
  }),
};

/** For functions that read archives. */
export const decryptionVariables = {
  AGE_IDENTITY_FILE: variable(z.optional(path), {
    description: "Private keys of age, as age-keygen writes them. Needed for encrypted archives only.",
    allowed: "the absolute path of a file",
    isFile: true,
  }),
  MANIFEST_PUBLIC_KEY: variable(z.optional(text), {
    description:
      "Only backups whose manifests one of these keys signed are restored, count in a cull and go by one; restore copies the archive into RESTORE_DIR and loads that copy. Unset: signatures are not looked at. The backup function, which trusts what MANIFEST_SIGNING_KEY signed, needs only the keys before that.",
    allowed: "one or more public Ed25519 keys in PEM",
    isSecret: true,
  }),
};

export type EncryptionConfig = Variables<typeof encryptionVariables>;
export type DecryptionConfig = Variables<typeof decryptionVariables>;
type Variables<Shape extends z.core.$ZodShape> = z.output<z.ZodMiniObject<Shape>>;
