import * as z from "zod";
import { variable } from "./config.ts";

const recipients = z
  .string()
  .transform((list) => list.split(/[,\s]+/).filter((one) => one !== ""))
  .pipe(z.array(z.string()).min(1));

/** For whoever writes archives: public keys, and the key that signs. */
export const encryptionVariables = {
  AGE_RECIPIENTS: variable(recipients.optional(), {
    description:
      "Public keys of age, to each of which every archive is encrypted. Give two: a lost key is lost data. Unset: archives are not encrypted.",
    allowed: "recipients that begin with `age1`, separated by commas or white space",
  }),
  MANIFEST_SIGNING_KEY: variable(z.string().min(1).optional(), {
    description:
      "Signs each manifest, so that a swapped archive is noticed. With encryption it should be set: public keys prove no author.",
    allowed: "a private Ed25519 key in PEM",
    isSecret: true,
  }),
};

/** For whoever reads them. */
export const decryptionVariables = {
  AGE_IDENTITY_FILE: variable(z.string().startsWith("/").optional(), {
    description: "Private keys of age, as age-keygen writes them. Needed for encrypted archives only.",
    allowed: "the absolute path of a file",
  }),
  MANIFEST_PUBLIC_KEY: variable(z.string().min(1).optional(), {
    description:
      "Only backups whose manifests one of these keys signed are restored. Unset: signatures are not looked at.",
    allowed: "one or more public Ed25519 keys in PEM",
    isSecret: true,
  }),
};
