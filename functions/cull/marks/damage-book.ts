import * as z from "zod";
import { noteFiles } from "../../../shared/catalog/volume/note-files.ts";
import type { DamageBook, KnownDamage } from "../../../shared/retention/oddities.ts";

const schema = z.object({
  place: z.enum(["volume", "bucket"]),
  path: z.string(),
  reason: z.string().transform((reason) => reason as KnownDamage["reason"]),
  detail: z.string(),
  at: z.string(),
  by: z.string(),
  why: z.string().optional(),
});

/** What cannot be read is not known, and stops the cull. */
export function damageBook(backupDir: string): DamageBook {
  const notes = noteFiles(backupDir, "acknowledged", schema);
  return {
    known: () => notes.known(),
    acknowledge: (damage) =>
      notes.write(`${damage.place}-${damage.path.replaceAll("/", "-").replace(/\.json$/, "")}`, damage),
  };
}
