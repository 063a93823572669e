import * as z from "zod/mini";
import { variable } from "./config.ts";
import { wholeNumber } from "./rules.ts";

function keepCount(description: string) {
  return wholeNumber({ from: 0, to: 10_000, unset: 0 }, description);
}

/** The one count that the old pod had. */
export const newestVariables = {
  NUM_BACKUPS: wholeNumber(
    { from: 1, to: 100_000, unset: 31 },
    "How many of the newest backups of each database the cull function keeps.",
  ),
};

/** What cull keeps on the volume and in the bucket, and so what backup sends to the bucket. */
export const retentionVariables = {
  KEEP_DAILY: wholeNumber(
    { from: 0, to: 10_000 },
    "Of how many days the newest backup is kept as well. Unset: as many as `NUM_BACKUPS` says, in the bucket `S3_NUM_BACKUPS`. 0: none.",
  ),
  KEEP_WEEKLY: keepCount("The same for weeks, which begin on Monday (ISO 8601). 0: none."),
  KEEP_MONTHLY: keepCount("The same for months."),
  KEEP_YEARLY: keepCount("The same for years."),
  KEEP_WITHIN_DAYS: keepCount(
    "All backups are kept that began within so many days before the newest: for several a day.",
  ),
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
  SUSPECT_DROP_PERCENT: wholeNumber(
    { from: 1, to: 100, unset: 50 },
    "A newest backup that lost a table, or more than this of a table's rows or of its size, is suspect: it stops culling until it is acknowledged, and a restore warns of it. Raise it where tables are emptied as a matter of course. 100: nothing is suspect.",
  ),
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
