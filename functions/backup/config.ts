import * as z from "zod/mini";
import { LACK_KINDS, type LackKind } from "../../shared/postgres/inspection.ts";
import { authVariables, clusterVariables } from "../../shared/config/auth-config.ts";
import { databaseVariables, intervalVariables, volumeVariables } from "../../shared/config/common-config.ts";
import { integer, variable } from "../../shared/config/config.ts";
import { encryptionVariables } from "../../shared/config/encryption-config.ts";
import { mirrorVariables } from "../../shared/config/mirror-config.ts";
import { retentionVariables } from "../../shared/config/retention-config.ts";

const DATA_LACKS = Object.entries(LACK_KINDS).flatMap(([kind, { data }]) =>
  data ? [kind] : [],
) as LackKind[];

const lackKinds = z.pipe(
  z.pipe(
    z.string(),
    z.transform((list: string) => list.split(",").map((kind) => kind.trim())),
  ),
  z.pipe(
    z.array(z.enum(DATA_LACKS as [LackKind, ...LackKind[]])),
    z.transform((kinds: LackKind[]): ReadonlySet<LackKind> => new Set(kinds)),
  ),
);

/** The environment of the backup function. */
export const backupConfig = z.object({
  ...databaseVariables,
  ...volumeVariables,
  ...encryptionVariables,
  ...mirrorVariables,
  ...retentionVariables,
  ...intervalVariables,
  ...authVariables,
  ...clusterVariables,
  MIRROR_TIMEOUT_MINUTES: variable(z.prefault(integer(1, 10_080), "60"), {
    description: "How long a run may take for what the bucket lacks; the next run goes on.",
    allowed: "a whole number from 1 to 10080",
  }),
  ALLOW_INCOMPLETE: variable(z.optional(lackKinds), {
    description:
      "Kinds of data that a backup may lack because the role cannot read them. Unset: such a backup fails.",
    allowed: `a comma-separated list of ${DATA_LACKS.join(", ")}`,
  }),
  DUMP_TIMEOUT_MINUTES: variable(z.prefault(integer(1, 10_080), "720"), {
    description: "How long a dump may take.",
    allowed: "a whole number from 1 to 10080",
  }),
  STALL_TIMEOUT_SECONDS: variable(z.prefault(integer(1, 86_400), "600"), {
    description: "How long a dump may make no progress at all.",
    allowed: "a whole number from 1 to 86400",
  }),
  LOCK_WAIT_SECONDS: variable(z.prefault(integer(1, 86_400), "60"), {
    description: "How long pg_dump waits for the lock of a table.",
    allowed: "a whole number from 1 to 86400",
  }),
  RETRY_SECONDS: variable(z.prefault(integer(0, 86_400), "300"), {
    description: "How long faults that may pass are tried again within a run. 0: never.",
    allowed: "a whole number from 0 to 86400",
  }),
});

export type BackupConfig = z.output<typeof backupConfig>;
