import * as promises from "../volume/volume-calls.ts";
import { join } from "node:path";
import * as z from "zod";
import type { Files } from "../volume/files.ts";
import { readWhole } from "../volume/open-regular.ts";
import { replaceFile } from "../volume/write-durably.ts";

const damageSchema = z.object({ sizeBytes: z.number(), modifiedMs: z.number(), why: z.string() });
const pageSchema = z.object({ formatVersion: z.literal(1), files: z.record(z.string(), damageSchema) });

/** What a legacy file was like when it was found to be damaged: once it has changed, it is read again. */
export type Damage = z.infer<typeof damageSchema>;
type Damages = Readonly<Record<string, Damage>>;

const PATH = [".dormouse", "damaged.json"] as const;

/**
 * The damaged legacy files by name. It saves reading them again at each cull and is needed for nothing else: a page
 * that is missing or broken is an empty one.
 */
export async function damagedFiles(backupDir: string): Promise<Damages> {
  try {
    const text = (await readWhole(promises, join(backupDir, ...PATH))) ?? "";
    const page = pageSchema.safeParse(JSON.parse(text));
    return page.data?.files ?? {};
  } catch {
    return {};
  }
}

export async function rememberDamage(
  files: Files,
  backupDir: string,
  name: string,
  damage: Damage,
): Promise<void> {
  const page = { formatVersion: 1, files: { ...(await damagedFiles(backupDir)), [name]: damage } };
  await replaceFile(files, join(backupDir, ...PATH), `${JSON.stringify(page, null, 2)}\n`, {
    writer: "damaged",
    what: PATH.join("/"),
  });
}
