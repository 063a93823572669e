import * as promises from "../volume/volume-calls.ts";
import { join } from "node:path";
import { mayBeOf, parseArchiveName, type ArchiveName, type ArchiveNameParts } from "../archive-name.ts";
import { isAbandoned } from "../catalog.ts";
import { clearUp, statIfThere, removeIfThere, temporaryName } from "../volume/files.ts";

const COPY = /^(?:\.tmp-(?<copy>.+\.(?:bak|sql\.gz))-[0-9a-f]{8}|(?<fetched>.+\.(?:bak|sql\.gz))\.fetched)$/s;

/** A name that stays: what an earlier attempt has fetched is not fetched again. */
export function fetchedName(name: ArchiveName): string {
  return `${flat(name)}.fetched`;
}

/** Of what is decrypted or copied: another one each time. */
export function copyName(name: ArchiveName): string {
  return temporaryName(flat(name));
}

/** What cannot be removed, plain content among it, prevents no restore. */
export async function sweepRestoreDir(
  restoreDir: string,
  database: string,
  wanted: string | undefined,
): Promise<void> {
  const left = await leftIn(restoreDir, database, wanted);
  await clearUp(...left.map((path) => () => removeIfThere(promises, path)));
}

/** What such a sweep frees. */
export async function sweptBytes(restoreDir: string, database: string, wanted: string): Promise<number> {
  const left = await leftIn(restoreDir, database, wanted);
  const found = await Promise.all(left.map((path) => statIfThere(promises, path)));
  return found.reduce((sum, stats) => sum + (stats?.size ?? 0), 0);
}

async function leftIn(restoreDir: string, database: string, wanted = ""): Promise<readonly string[]> {
  const parts = parseArchiveName(wanted);
  const goesOn = parts && fetchedName(parts.name);
  const names = await promises.readdir(restoreDir).catch(() => []);
  return names
    .filter((name) => {
      const copied = parseCopied(name);
      return copied !== undefined && mayBeOf(copied, database) && name !== goesOn;
    })
    .map((name) => join(restoreDir, name));
}

/** The copies that no restore has removed in a day, of whichever database. */
export async function abandonedCopies(
  restoreDir: string,
  now: Date,
): Promise<{ readonly count: number; readonly bytes: number }> {
  const copies = (await promises.readdir(restoreDir)).filter((name) => parseCopied(name) !== undefined);
  const found = await Promise.all(copies.map((name) => statIfThere(promises, join(restoreDir, name))));
  const left = found.filter((stats) => stats !== undefined && isAbandoned({ changedAt: stats.ctime }, now));
  return { count: left.length, bytes: left.reduce((sum, stats) => sum + (stats?.size ?? 0), 0) };
}

/** Which archive a file is a copy of; `undefined` for any other file. */
function parseCopied(file: string): ArchiveNameParts | undefined {
  const { copy, fetched = copy } = COPY.exec(file)?.groups ?? {};
  return parseArchiveName(fetched?.replace(FOLDERS, (folders) => folders.replaceAll("_", "/")) ?? "");
}

const FOLDERS = /^(?:[a-z]+_)?\d{4}-\d{2}-\d{2}_/;

function flat(name: ArchiveName): string {
  return name.replaceAll("/", "_");
}
