import * as z from "zod/mini";
import { isTimeZone } from "../../shared/backup/calendar.ts";
import { authVariables } from "../../shared/runtime/auth-config.ts";
import { volumeVariables } from "../../shared/runtime/common-config.ts";
import { integer, variable } from "../../shared/runtime/config.ts";
import { mirrorVariables } from "../../shared/runtime/mirror-config.ts";

const AUTH = ["token", "none"] as const;

function keepCount(description: string) {
  return variable(z.prefault(integer(0, 10_000), "0"), {
    description,
    allowed: "a whole number from 0 to 10000",
  });
}

/** The environment of the cull function: the volume, the bucket, and nothing of the database. */
export const cullConfig = z.object({
  ...volumeVariables,
  ...mirrorVariables,
  AUTH: variable(z.enum(AUTH), {
    description:
      "How callers who pin, unpin or acknowledge are known. `token`: by a token of AUTH_TOKEN_FILE. `none`: whoever reaches the function may. This function has no account in the cluster to ask it.",
    allowed: `one of ${AUTH.join(", ")}`,
  }),
  AUTH_TOKEN_FILE: authVariables.AUTH_TOKEN_FILE,
  KEEP_DAILY: keepCount("Of how many days the newest backup is kept besides."),
  KEEP_WEEKLY: keepCount("The same for weeks, which begin on Monday (ISO 8601)."),
  KEEP_MONTHLY: keepCount("The same for months."),
  KEEP_YEARLY: keepCount("The same for years."),
  KEEP_WITHIN_DAYS: keepCount("All backups are kept that began within so many days before the newest."),
  RETENTION_TZ: variable(z.prefault(z.string().check(z.refine(isTimeZone)), "UTC"), {
    description: "Time zone in which days, weeks, months and years begin.",
    allowed: "an IANA time zone, like America/Vancouver",
  }),
  SUSPECT_DROP_PERCENT: variable(z.prefault(integer(1, 100), "50"), {
    description:
      "A newest backup that lost a table, or more than this of a table's rows or of its size, stops culling until it is acknowledged. 100: nothing is suspect.",
    allowed: "a whole number from 1 to 100",
  }),
  STALE_HOURS: variable(z.prefault(integer(0, 10_000), "36"), {
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
