import { join } from "node:path";
import * as z from "zod";
import { readWhole } from "../catalog/volume/open-regular.ts";
import * as promises from "../catalog/volume/volume-calls.ts";
import { replaceFile } from "../catalog/volume/write-durably.ts";

const START = "retired-";
const retirementSchema = z.object({
  formatVersion: z.literal(1),
  database: z.string(),
  at: z.iso.datetime().transform((text) => new Date(text)),
  by: z.string(),
  reason: z.string(),
});

/** An operator has said that a database is gone for good: no alarm asks for backups of it, and those that are there age. */
export type Retirement = {
  readonly database: string;
  readonly at: Date;
  readonly by: string;
  readonly reason: string;
};

export type RetiredDatabases = {
  known(): Promise<readonly Retirement[]>;
  retire(retirement: Retirement): Promise<void>;
};

/** One file for each on the volume. What cannot be read says nothing: then the database is missed as before. */
export function retiredDatabases(backupDir: string): RetiredDatabases {
  const folder = join(backupDir, ".dormouse");
  return {
    async known() {
      const names = (await promises.readdir(folder).catch(() => [])).filter((name) => name.startsWith(START));
      return (await Promise.all(names.map((name) => read(join(folder, name))))).flat();
    },
    async retire(retirement) {
      const name = `${START}${encodeURIComponent(retirement.database)}.json`;
      const text = `${JSON.stringify({ formatVersion: 1, ...retirement }, null, 2)}\n`;
      await replaceFile(promises, join(folder, name), text, { writer: "retired", what: `.dormouse/${name}` });
    },
  };
}

async function read(path: string): Promise<readonly Retirement[]> {
  try {
    const { formatVersion: _, ...retirement } = retirementSchema.parse(
      JSON.parse((await readWhole(promises, path)) ?? ""),
    );
    return [retirement];
  } catch {
    return [];
  }
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
