import * as z from "zod";
import { noteFiles } from "../catalog/volume/note-files.ts";

const schema = z.object({
  database: z.string(),
  at: z.iso.datetime().transform((text) => new Date(text)),
  by: z.string(),
  reason: z.string(),
});

/** An operator has said that a database is gone for good: no alarm asks for backups of it, and those that are there age. */
export type Retirement = Readonly<z.output<typeof schema>>;

export type RetiredDatabases = ReturnType<typeof retiredDatabases>;

/** What cannot be read retires nothing: then the database is missed as before. */
export function retiredDatabases(backupDir: string) {
  const notes = noteFiles<Retirement>(backupDir, "retired", schema);
  return {
    known: () => notes.known(),
    retire: (retirement: Retirement) => notes.write(encodeURIComponent(retirement.database), retirement),
  };
}

/** The retirement of a database that holds: a backup of it that began later says that it is there again. */
export function retirementOf(
  database: string,
  newest: Date | undefined,
  retirements: readonly Retirement[],
): Retirement | undefined {
  return retirements.find(
    (each) => each.database === database && (newest === undefined || newest <= each.at),
  );
}
