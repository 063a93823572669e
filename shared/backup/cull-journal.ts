import * as z from "zod";

const journalSchema = z.object({
  place: z.enum(["volume", "bucket"]),
  removing: z.array(z.object({ name: z.string(), sizeBytes: z.number() })),
});

/** What a cull is about to remove, on record before the first removal, so that a killed run can finish what it began. */
export type CullJournal = Readonly<z.infer<typeof journalSchema>>;

/** `undefined` for anything else: then there is nothing to finish. */
export function readCullJournal(journal: unknown): CullJournal | undefined {
  return journalSchema.safeParse(journal).data;
}
