import * as z from "zod/mini";
import { WORKLOAD_KINDS } from "./workloads/workload.ts";
import { NO_WORKLOADS, parseWorkloadChoice } from "./workloads/workload-choice.ts";
import { authVariables, clusterVariables } from "../../shared/config/auth-config.ts";
import { commonVariables } from "../../shared/config/common-config.ts";
import { databaseVariables } from "../../shared/config/database-config.ts";
import { variable } from "../../shared/config/config.ts";
import { wholeNumber } from "../../shared/config/rules.ts";
import { decryptionVariables, encryptionVariables } from "../../shared/config/encryption-config.ts";
import { mirrorVariables } from "../../shared/config/mirror-config.ts";
import { suspicionVariables } from "../../shared/config/retention-config.ts";
import { intervalVariables } from "../../shared/config/sink-config.ts";

const workloads = z.pipe(
  z.string().check(z.refine((text) => parseWorkloadChoice(text) !== undefined)),
  z.transform((text: string) => parseWorkloadChoice(text) ?? NO_WORKLOADS),
);

/** The environment of the restore function. */
export const restoreConfig = z.object({
  ...databaseVariables,
  ...commonVariables,
  ...encryptionVariables,
  ...decryptionVariables,
  ...mirrorVariables,
  ...suspicionVariables,
  ...intervalVariables,
  ...authVariables,
  ...clusterVariables,
  APP_WORKLOADS: variable(z.optional(workloads), {
    description:
      "What uses the database, in the order of starting; stopped in the reverse. With several databases by database, `hets=deployment/server; reports=deployment/reports`, or as a JSON object of such lists where a name is odd: a restore then stops those of its database alone. Unset: nothing is stopped, sessions are only ended.",
    allowed: `a comma-separated list of different kind/name, with the kinds ${WORKLOAD_KINDS.join(", ")}; or such lists by database`,
  }),
  RESTORE_JOBS: wholeNumber(
    { from: 1, to: 64 },
    "Connections of pg_restore. Lower it to spare a server that others use. Unset: as many as archive and server have use for (max_parallel_maintenance_workers, half of the free connections, the number of tables, their size); the step `loaded` says which decided.",
  ),
  REHEARSAL_JOBS: wholeNumber(
    { from: 1, to: 64, unset: 1 },
    "Connections of pg_restore in a rehearsal. Raise it where rehearsals take too long and the server has processors to spare.",
  ),
  SERVER_DISK_GIB: wholeNumber(
    { from: 1, to: 1_000_000 },
    "Size of the disk of the server's databases. A rehearsal that would fill more than nine tenths of it is refused. Unset: the room for a rehearsal is not checked, since no server says how large its disk is.",
  ),
  UNDO_HOURS: wholeNumber(
    { from: 1, to: 8_760, unset: 48 },
    "How long the old database is kept after a restore, so that it can be undone. Lower it where there is no room for two.",
  ),
  LOAD_TIMEOUT_MINUTES: wholeNumber(
    { from: 1, to: 10_080, unset: 1_440 },
    "How long reading or loading an archive may take. Raise it for a database that takes longer.",
  ),
  WORKLOAD_STOP_SECONDS: wholeNumber(
    { from: 1, to: 3_600, unset: 300 },
    "How long the pods of a workload may take to end. Then the restore is rolled back. Above their grace period.",
  ),
  WORKLOAD_READY_SECONDS: wholeNumber(
    { from: 1, to: 3_600, unset: 300 },
    "How long the pods of a workload may take to become ready. Then the answer says why they are not. Raise it for an application that starts slowly.",
  ),
  BUSY_WAIT_SECONDS: wholeNumber(
    { from: 0, to: 86_400, unset: 600 },
    "How long a restore waits for another run of its database, as a backup under way, before it is answered 409. Raise it where a backup takes longer.",
  ),
});

export type RestoreConfig = z.output<typeof restoreConfig>;
