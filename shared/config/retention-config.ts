import * as z from "zod/mini";
import { integer, variable } from "./config.ts";

const keepAllowed = "a whole number from 0 to 10000";

function keepCount(description: string) {
  return variable(z.prefault(integer(0, 10_000), "0"), { description, allowed: keepAllowed });
}

/** What cull keeps on the volume and in the bucket, and so what backup sends to the bucket. */
export const retentionVariables = {
  KEEP_DAILY: variable(z.optional(integer(0, 10_000)), {
    description:
      "Of how many days the newest backup is kept besides. Unset: as many as newest ones are kept. 0: none.",
    allowed: keepAllowed,
  }),
  KEEP_WEEKLY: keepCount("The same for weeks, which begin on Monday (ISO 8601). 0: none."),
  KEEP_MONTHLY: keepCount("The same for months."),
  KEEP_YEARLY: keepCount("The same for years."),
  KEEP_WITHIN_DAYS: keepCount("All backups are kept that began within so many days before the newest."),
  CULL_LEGACY: variable(
    z.pipe(
      z.prefault(z.string().check(z.regex(/^(?:true|false)$/)), "false"),
      z.transform((text: string) => text === "true"),
    ),
    {
      description:
        "Whether adopted files, which Dormouse did not write, count and go like backups of ours. Unless `true` they stay, whatever the counts say.",
      allowed: "true or false",
    },
  ),
  RETENTION_TZ: variable(z.prefault(z.string().check(z.refine(isTimeZone)), "UTC"), {
    description: "Time zone in which days, weeks, months and years begin.",
    allowed: "an IANA time zone, like America/Vancouver",
  }),
};

/** For cull, which removes nothing then, and for restore, which names the backup before. */
export const suspicionVariables = {
  SUSPECT_DROP_PERCENT: variable(z.prefault(integer(1, 100), "50"), {
    description:
      "A newest backup that lost a table, or more than this of a table's rows or of its size, is suspect: it stops culling until it is acknowledged, and a restore warns of it. 100: nothing is suspect.",
    allowed: "a whole number from 1 to 100",
  }),
};

export type RetentionConfig = z.output<z.ZodMiniObject<typeof retentionVariables>>;

export function isTimeZone(text: string): boolean {
  // The first calendar loads those of the whole world, which takes half as long as a start; this one is the default.
  if (text === "UTC") return true;
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch {
    return false;
  }
}
