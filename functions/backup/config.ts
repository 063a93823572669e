import * as z from "zod/mini";
import { OMISSION_KINDS, type OmissionKind } from "../../shared/postgres/lacks.ts";
import { parseTablePatterns } from "../../shared/postgres/exclusions/table-pattern.ts";
import { authVariables, clusterVariables } from "../../shared/config/auth-config.ts";
import { commonVariables } from "../../shared/config/common-config.ts";
import { databaseVariables } from "../../shared/config/database-config.ts";
import { intervalVariables } from "../../shared/config/sink-config.ts";
import { variable } from "../../shared/config/config.ts";
import { wholeNumber } from "../../shared/config/rules.ts";
import { decryptionVariables, encryptionVariables } from "../../shared/config/encryption-config.ts";
import { mirrorVariables } from "../../shared/config/mirror-config.ts";
import { retentionVariables } from "../../shared/config/retention-config.ts";

const DATA_LACKS = Object.entries(OMISSION_KINDS).flatMap(([kind, { data }]) =>
  data ? [kind] : [],
) as OmissionKind[];

const lackKinds = z.pipe(
  z.pipe(
    z.string(),
    z.transform((list: string) => list.split(",").map((kind) => kind.trim())),
  ),
  z.pipe(
    z.array(z.enum(DATA_LACKS as [OmissionKind, ...OmissionKind[]])),
    z.transform((kinds: OmissionKind[]): ReadonlySet<OmissionKind> => new Set(kinds)),
  ),
);

const tablePatterns = z.pipe(
  z.string().check(z.refine((list) => parseTablePatterns(list) !== undefined)),
  z.transform((list: string) => parseTablePatterns(list) ?? []),
);

/** The environment of the backup function. */
export const backupConfig = z.object({
  ...databaseVariables,
  ...commonVariables,
  ...encryptionVariables,
  MANIFEST_PUBLIC_KEY: decryptionVariables.MANIFEST_PUBLIC_KEY,
  ...mirrorVariables,
  ...retentionVariables,
  ...intervalVariables,
  ...authVariables,
  ...clusterVariables,
  MIRROR_TIMEOUT_MINUTES: wholeNumber(
    { from: 1, to: 10_080, unset: 60 },
    "How long a run may take for what the bucket lacks; the next run goes on. Raise it for a first upload of much by a slow line.",
  ),
  ALLOW_INCOMPLETE: variable(z.optional(lackKinds), {
    description:
      "Kinds of data that a backup may lack because the role cannot read them. Unset: such a backup fails.",
    allowed: `a comma-separated list of ${DATA_LACKS.join(", ")}`,
  }),
  EXCLUDE_TABLE_DATA: variable(z.optional(tablePatterns), {
    description:
      "Tables that are dumped without their rows, as sessions or logs: the next restore leaves them empty. See docs/tasks.md. Unset: all rows are dumped.",
    allowed: "a comma-separated list of patterns as `pg_dump --exclude-table-data` takes them",
  }),
  DUMP_TIMEOUT_MINUTES: wholeNumber(
    { from: 1, to: 10_080, unset: 720 },
    "How long a dump may take. Raise it for a database that takes longer.",
  ),
  STALL_TIMEOUT_SECONDS: wholeNumber(
    { from: 1, to: 86_400, unset: 600 },
    "How long a dump may make no progress at all. Raise it where pg_dump needs longer to look at very many tables.",
  ),
  LOCK_WAIT_SECONDS: wholeNumber(
    { from: 1, to: 86_400, unset: 60 },
    "How long pg_dump waits for the lock of a table. Raise it where a migration of the night holds one for longer.",
  ),
  RETRY_SECONDS: wholeNumber(
    { from: 0, to: 86_400, unset: 300 },
    "How long faults that may pass are tried again within a run. Raise it where the server restarts for longer. 0: never.",
  ),
});

export type BackupConfig = z.output<typeof backupConfig>;
