import * as z from "zod";

const removing = z.array(z.object({ name: z.string(), sizeBytes: z.number() }));
const journalSchema = z.object({ volume: z.optional(removing), bucket: z.optional(removing) });

/**
 * What a cull is about to remove from each place, on record before the first removal there, so that a killed run can
 * finish what it began.
 */
export type CullJournal = Readonly<z.infer<typeof journalSchema>>;

/** Empty for anything else: then there is nothing to finish. */
export function readCullJournal(journal: unknown): CullJournal {
  return journalSchema.safeParse(journal).data ?? {};
}
