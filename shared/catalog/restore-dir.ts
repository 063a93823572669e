import * as promises from "node:fs/promises";
import { join } from "node:path";
import { parseArchiveName, type ArchiveName } from "../backup/archive-name.ts";
import { removeIfThere } from "./files.ts";

/** As `fetched` and `decrypted` name them, see both-places.ts. */
const COPY = /^(?:\.tmp-(?<decrypted>.+\.bak)-[0-9a-f]{8}|(?<fetched>.+\.bak)\.fetched)$/s;

/**
 * Removes what a process that was killed left in RESTORE_DIR of a database's archives, plain content among it; not what
 * is fetched of `wanted`, which goes on from there. For who holds the lock of the database.
 */
export async function sweepRestoreDir(restoreDir: string, wanted: ArchiveName): Promise<void> {
  const names = await promises.readdir(restoreDir).catch(() => []);
  for (const name of names.filter((each) => isLeftBehind(each, wanted)))
    await removeIfThere(promises, join(restoreDir, name));
}

function isLeftBehind(name: string, wanted: ArchiveName): boolean {
  const { decrypted, fetched = decrypted } = COPY.exec(name)?.groups ?? {};
  const archive = fetched?.replace("_", "/") ?? "";
  if (archive === wanted && decrypted === undefined) return false;
  return parseArchiveName(archive)?.database === parseArchiveName(wanted)?.database;
}
