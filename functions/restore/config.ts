import * as z from "zod/mini";
import { WORKLOAD_KINDS, type Workload, type WorkloadKind } from "./workloads/workload.ts";
import { authVariables, clusterVariables } from "../../shared/config/auth-config.ts";
import { databaseVariables, volumeVariables } from "../../shared/config/common-config.ts";
import { integer, variable } from "../../shared/config/config.ts";
import { decryptionVariables, encryptionVariables } from "../../shared/config/encryption-config.ts";
import { mirrorVariables } from "../../shared/config/mirror-config.ts";
import { suspicionVariables } from "../../shared/config/retention-config.ts";

const WORKLOAD = new RegExp(`^(?:${WORKLOAD_KINDS.join("|")})/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`);

const workloads = z.pipe(
  z.string().check(z.refine((list) => areWorkloads(split(list)))),
  z.transform((list: string) => split(list).map(workloadOf)),
);

function split(list: string): string[] {
  return list.split(",").map((text) => text.trim());
}

function areWorkloads(texts: readonly string[]): boolean {
  return texts.every((text) => WORKLOAD.test(text)) && new Set(texts).size === texts.length;
}

function workloadOf(text: string): Workload {
  const [kind, name = ""] = text.split("/");
  return { kind: kind as WorkloadKind, name };
}

/** The environment of the restore function. */
export const restoreConfig = z.object({
  ...databaseVariables,
  ...volumeVariables,
  ...encryptionVariables,
  ...decryptionVariables,
  ...mirrorVariables,
  ...suspicionVariables,
  ...authVariables,
  ...clusterVariables,
  APP_WORKLOADS: variable(z.optional(workloads), {
    description:
      "What uses the database, in the order of starting; stopped in the reverse. Unset: nothing is stopped, sessions are only ended.",
    allowed: `a comma-separated list of different kind/name, with the kinds ${WORKLOAD_KINDS.join(", ")}`,
  }),
  RESTORE_JOBS: variable(z.optional(integer(1, 64)), {
    description: "Connections of pg_restore. Unset: one for each processor.",
    allowed: "a whole number from 1 to 64",
  }),
  UNDO_HOURS: variable(z.prefault(integer(1, 8_760), "48"), {
    description: "How long the old database is kept after a restore, so that it can be undone.",
    allowed: "a whole number from 1 to 8760",
  }),
  LOAD_TIMEOUT_MINUTES: variable(z.prefault(integer(1, 10_080), "1440"), {
    description: "How long reading or loading an archive may take.",
    allowed: "a whole number from 1 to 10080",
  }),
  WORKLOAD_STOP_SECONDS: variable(z.prefault(integer(1, 3_600), "300"), {
    description: "How long the pods of a workload may take to end. Then the restore is rolled back.",
    allowed: "a whole number from 1 to 3600",
  }),
  WORKLOAD_READY_SECONDS: variable(z.prefault(integer(1, 3_600), "300"), {
    description:
      "How long the pods of a workload may take to become ready. Then the answer says why they are not.",
    allowed: "a whole number from 1 to 3600",
  }),
  BUSY_WAIT_SECONDS: variable(z.prefault(integer(0, 86_400), "600"), {
    description:
      "How long a restore waits for another run of its database, as a backup under way, before it is answered 409.",
    allowed: "a whole number from 0 to 86400",
  }),
  SETTLE_SECONDS: variable(z.prefault(integer(1, 3_600), "300"), {
    description:
      "How long taking back a failed restore is tried within its run. Then the next start, ping or request goes on.",
    allowed: "a whole number from 1 to 3600",
  }),
});

export type RestoreConfig = z.output<typeof restoreConfig>;
