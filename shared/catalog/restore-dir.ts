import * as promises from "./volume-calls.ts";
import { join } from "node:path";
import { parseArchiveName, type ArchiveName } from "../backup/archive-name.ts";
import { clearUp, removeIfThere, temporaryName } from "./files.ts";

const COPY = /^(?:\.tmp-(?<copy>.+\.(?:bak|sql\.gz))-[0-9a-f]{8}|(?<fetched>.+\.(?:bak|sql\.gz))\.fetched)$/s;

/** A name that stays: what an earlier attempt has fetched is not fetched again. */
export function fetchedName(name: ArchiveName): string {
  return `${flat(name)}.fetched`;
}

/** Of what is decrypted or copied: another one each time. */
export function copyName(name: ArchiveName): string {
  return temporaryName(flat(name));
}

/**
 * Removes what a process that was killed left in RESTORE_DIR of a database's archives, plain content among it; not what
 * is fetched of `wanted`, which goes on from there. What cannot be removed keeps nobody from a restore. For who holds
 * the lock of the database.
 */
export async function sweepRestoreDir(restoreDir: string, wanted: ArchiveName): Promise<void> {
  const names = await promises.readdir(restoreDir).catch(() => []);
  const left = names.filter((name) => isLeftBehind(name, wanted));
  await clearUp(...left.map((name) => () => removeIfThere(promises, join(restoreDir, name))));
}

function isLeftBehind(file: string, wanted: ArchiveName): boolean {
  const { copy, fetched = copy } = COPY.exec(file)?.groups ?? {};
  const archive = fetched?.replace("_", "/") ?? "";
  if (file === fetchedName(wanted)) return false;
  return parseArchiveName(archive)?.database === parseArchiveName(wanted)?.database;
}

/** The first `_` parts the day from the rest. */
function flat(name: ArchiveName): string {
  return name.replace("/", "_");
}
