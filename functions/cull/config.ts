import * as z from "zod/mini";
import { authVariables, clusterVariables } from "../../shared/config/auth-config.ts";
import { commonVariables } from "../../shared/config/common-config.ts";
import { choiceVariables } from "../../shared/config/database-config.ts";
import { intervalVariables } from "../../shared/config/sink-config.ts";
import { variable } from "../../shared/config/config.ts";
import { text, wholeNumber } from "../../shared/config/rules.ts";
import { decryptionVariables } from "../../shared/config/encryption-config.ts";
import { mirrorVariables } from "../../shared/config/mirror-config.ts";
import { retentionVariables, suspicionVariables } from "../../shared/config/retention-config.ts";

/** The environment of the cull function: the volume, the bucket, and no more of the database than its name. */
export const cullConfig = z.object({
  ...commonVariables,
  ...mirrorVariables,
  ...retentionVariables,
  ...suspicionVariables,
  ...intervalVariables,
  MANIFEST_PUBLIC_KEY: decryptionVariables.MANIFEST_PUBLIC_KEY,
  ...authVariables,
  ...clusterVariables,
  ...choiceVariables(
    "Database of which there must be a backup: while there is none at all, each run says so. Unset: only databases that have one are watched.",
    false,
  ),
  DATABASE_SERVICE_NAME: variable(z.optional(text), {
    description:
      "Server of the databases. Cull compares it with the server in the name of each backup-container file, and never connects to it.",
    allowed: "a host name, an address or the folder of a socket",
  }),
  STALE_HOURS: wholeNumber(
    { from: 0, to: 10_000, unset: 30 },
    "How old the newest backup of a database may be before each run says so by `dev.dormouse.backup.stale`. Set it where backups are not taken daily. 0: it never does.",
  ),
  REHEARSAL_STALE_DAYS: wholeNumber(
    { from: 0, to: 10_000, unset: 0 },
    "How long ago the last good rehearsal of a database may have been before each run says so by `dev.dormouse.rehearsal.stale`. Set it where rehearsals are scheduled, to twice their interval. 0: it never does.",
  ),
  MAX_REMOVALS: wholeNumber(
    { from: 1, to: 100_000, unset: 200 },
    "How many backups one run removes at most; the next one goes on. It bounds what a wrong count costs; raise it to empty a full volume.",
  ),
  ADOPT_PER_RUN: wholeNumber(
    { from: 0, to: 10_000, unset: 10 },
    "How many files of the old pod one run reads and adopts at most. Raise it to adopt a volume of many in fewer days. 0: none.",
  ),
});

export type CullConfig = z.output<typeof cullConfig>;
