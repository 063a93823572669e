import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { join } from "node:path";
import { readWhole } from "../../catalog/volume/open-regular.ts";
import * as promises from "../../catalog/volume/volume-calls.ts";

const DAY_MS = 24 * 3_600_000;
/** The cull of the next day is not kept quiet because it comes a little early. */
const TOLERANCE_MS = 3_600_000;
const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Neither a link nor a FIFO in its place is followed or waited for. */
const REPLACE = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;

/** What is wrong, as `dev.dormouse.backup.failed hets`, and by which fault. */
export type Trouble = { readonly condition: string; readonly fault: string };

/** Since when it is wrong, and when people last got a message about each of its faults. */
export type TroubleRecord = { readonly since: string; readonly told: Readonly<Record<string, string>> };

/**
 * Each trouble has a file on the volume, until `settleTrouble` removes it. What cannot be read counts as new: two messages are
 * better than none.
 */
export async function readTrouble(backupDir: string, { condition }: Trouble): Promise<TroubleRecord> {
  const fresh = { since: new Date().toISOString(), told: {} };
  try {
    const text = (await readWhole(promises, fileOf(backupDir, condition))) ?? "";
    const { since, told } = JSON.parse(text) as TroubleRecord;
    const isKnown = Date.parse(since) <= Date.now() && told instanceof Object;
    return isKnown ? { since: new Date(since).toISOString(), told } : fresh;
  } catch {
    return fresh;
  }
}

/** Whether people got a message about this fault within a day. */
export function isReported({ told }: TroubleRecord, { fault }: Trouble): boolean {
  const ageMs = Date.now() - Date.parse(told[fault] ?? "");
  return ageMs >= 0 && ageMs < DAY_MS - TOLERANCE_MS;
}

export async function recordReport(
  backupDir: string,
  trouble: Trouble,
  { since, told }: TroubleRecord,
): Promise<void> {
  await promises.mkdir(folderOf(backupDir), { recursive: true });
  const file = await promises.open(fileOf(backupDir, trouble.condition), REPLACE, 0o660);
  try {
    const now: TroubleRecord = { since, told: { ...told, [trouble.fault]: new Date().toISOString() } };
    await file.writeFile(`${JSON.stringify(now)}\n`);
  } finally {
    await file.close();
  }
}

/** The trouble is over: the next one is reported at once. */
export async function settleTrouble(backupDir: string, condition: string): Promise<void> {
  await promises.rm(fileOf(backupDir, condition), { force: true });
}

function folderOf(backupDir: string): string {
  return join(backupDir, ".dormouse", "told");
}

function fileOf(backupDir: string, condition: string): string {
  return join(folderOf(backupDir), createHash("sha256").update(condition).digest("hex").slice(0, 32));
}
