import * as z from "zod/mini";
import { authVariables, clusterVariables } from "../../shared/config/auth-config.ts";
import { databaseName, intervalVariables, volumeVariables } from "../../shared/config/common-config.ts";
import { integer, variable } from "../../shared/config/config.ts";
import { decryptionVariables } from "../../shared/config/encryption-config.ts";
import { mirrorVariables } from "../../shared/config/mirror-config.ts";
import { retentionVariables, suspicionVariables } from "../../shared/config/retention-config.ts";

/** The environment of the cull function: the volume, the bucket, and no more of the database than its name. */
export const cullConfig = z.object({
  ...volumeVariables,
  ...mirrorVariables,
  ...retentionVariables,
  ...suspicionVariables,
  ...intervalVariables,
  MANIFEST_PUBLIC_KEY: decryptionVariables.MANIFEST_PUBLIC_KEY,
  ...authVariables,
  ...clusterVariables,
  POSTGRESQL_DATABASE: variable(z.optional(databaseName), {
    description:
      "Database of which there must be a backup: while there is none at all, each run says so. Unset: only databases that have one are watched.",
    allowed: "the name of a database, at most 63 bytes",
  }),
  STALE_HOURS: variable(z.prefault(integer(0, 10_000), "30"), {
    description:
      "How old the newest backup of a database may be before each run says so by `dev.dormouse.backup.stale`. 0: it never does.",
    allowed: "a whole number from 0 to 10000",
  }),
  MAX_REMOVALS: variable(z.prefault(integer(1, 100_000), "200"), {
    description: "How many backups one run removes at most; the next one goes on.",
    allowed: "a whole number from 1 to 100000",
  }),
  ADOPT_PER_RUN: variable(z.prefault(integer(0, 10_000), "10"), {
    description: "How many files of the old pod one run reads and adopts at most. 0: none.",
    allowed: "a whole number from 0 to 10000",
  }),
});

export type CullConfig = z.output<typeof cullConfig>;
