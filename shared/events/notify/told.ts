import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { join } from "node:path";
import * as promises from "../../catalog/volume/volume-calls.ts";

const DAY_MS = 24 * 3_600_000;
/** The cull of the next day is not kept quiet because it comes a little early. */
const ROOM_MS = 3_600_000;
const REPLACE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/**
 * Whether people were told of this within a day: each thing to tell has a file on the volume, whose time is the last
 * telling. What cannot be read counts as not told: twice is better than never.
 */
export async function isToldAlready(backupDir: string, what: string): Promise<boolean> {
  try {
    const { mtimeMs } = await promises.lstat(fileOf(backupDir, what));
    const ageMs = Date.now() - mtimeMs;
    return ageMs >= 0 && ageMs < DAY_MS - ROOM_MS;
  } catch {
    return false;
  }
}

export async function noteTold(backupDir: string, what: string): Promise<void> {
  await promises.mkdir(folderOf(backupDir), { recursive: true });
  const file = await promises.open(fileOf(backupDir, what), REPLACE, 0o660);
  try {
    await file.writeFile(`${new Date().toISOString()}\n`);
  } finally {
    await file.close();
  }
}

function folderOf(backupDir: string): string {
  return join(backupDir, ".dormouse", "told");
}

function fileOf(backupDir: string, what: string): string {
  return join(folderOf(backupDir), createHash("sha256").update(what).digest("hex").slice(0, 32));
}
