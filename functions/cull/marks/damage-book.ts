import { readWhole } from "../../../shared/catalog/volume/open-regular.ts";
import * as promises from "../../../shared/catalog/volume/volume-calls.ts";
import { join } from "node:path";
import * as z from "zod";
import type { DamageBook, KnownDamage } from "../../../shared/retention/oddities.ts";
import { replaceFile } from "../../../shared/catalog/volume/write-durably.ts";

const START = "acknowledged-";
const knownSchema = z.object({
  formatVersion: z.literal(1),
  place: z.enum(["volume", "bucket"]),
  path: z.string(),
  reason: z.string(),
  detail: z.string(),
  at: z.string(),
  by: z.string(),
  why: z.string().optional(),
});

/** One file for each: two that are acknowledged at once do not meet. */
export function damageBook(backupDir: string): DamageBook {
  const folder = join(backupDir, ".dormouse");
  return {
    async known() {
      const names = (await promises.readdir(folder).catch(() => [])).filter((name) => name.startsWith(START));
      return (await Promise.all(names.map((name) => read(join(folder, name))))).flat();
    },
    acknowledge: (damage) => write(folder, damage),
  };
}

/** What cannot be read says nothing: then the damage is not known, and stops the cull. */
async function read(path: string): Promise<readonly KnownDamage[]> {
  try {
    const { formatVersion: _, ...known } = knownSchema.parse(
      JSON.parse((await readWhole(promises, path)) ?? ""),
    );
    return [known as KnownDamage];
  } catch {
    return [];
  }
}

async function write(folder: string, damage: KnownDamage): Promise<void> {
  const name = `${START}${damage.place}-${damage.path.replaceAll("/", "-").replace(/(?:\.json)?$/, ".json")}`;
  const text = `${JSON.stringify({ formatVersion: 1, ...damage }, null, 2)}\n`;
  const writing = { writer: "acknowledged", what: `.dormouse/${name}` };
  await replaceFile(promises, join(folder, name), text, writing);
}
