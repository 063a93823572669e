import { constants } from "node:fs";
import * as promises from "./volume-calls.ts";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { parseArchiveName, type ArchiveName } from "../archive-name.ts";
import type { Backup } from "../backup.ts";
import type { Catalog, ChangeMarks, Space } from "../catalog.ts";
import { lookTogether } from "./look-together.ts";
import { serialiseManifest, withMarks, type BackupManifest } from "../manifest.ts";
import { DormouseError } from "../../errors.ts";
import { adoptLegacy } from "../legacy/adopt-legacy.ts";
import { changing, type AssertHeld } from "./change-lock.ts";
import * as file from "./files.ts";
import type { Files } from "./files.ts";
import { listLeftovers } from "./leftovers.ts";
import { listVolume, readBackup } from "./list-volume.ts";
import type { PrintArchive } from "../legacy/read-legacy.ts";
import { finishRemoval, removeBackup } from "./remove-backup.ts";
import { stageArchive } from "./stage-archive.ts";
import { sweepRun } from "./sweep-run.ts";

const READ_BYTES = 1 << 18;

/** The catalog on a mounted volume: the primary one. Only what adopts has to `print` archives. */
export function volumeCatalog(backupDir: string, files: Files = promises, print?: PrintArchive): Catalog {
  return {
    list: lookTogether((signal) => listVolume(files, backupDir, signal)),
    find: (name) => find(files, backupDir, name),
    stage: (draft, archive, signal) => stageArchive(files, backupDir, draft, { archive, signal }),
    open: (name) => open(files, backupDir, name),
    mark: (name, change) => mark(files, backupDir, name, change),
    remove: (name, decided) => remove(files, backupDir, name, decided),
    // Alone with it, and so that the lock of the one that died goes as well.
    finishRemoval: (name, sizeBytes) =>
      changing(files, backupDir, name, () => finishRemoval(files, backupDir, name, sizeBytes)),
    adopt: (legacy, describe, signal) => adoptLegacy(files, backupDir, legacy, { describe, signal, print }),
    leftovers: () => listLeftovers(files, backupDir),
    sweep: (run) => sweepRun(files, backupDir, run),
    space: () => space(files, backupDir),
  };
}

async function find(files: Files, backupDir: string, name: ArchiveName): Promise<Backup | undefined> {
  const parts = parseArchiveName(name);
  if (parts === undefined || !(await isFolder(files, join(backupDir, parts.date)))) return undefined;
  try {
    const found = await readBackup(files, backupDir, parts);
    return "backup" in found ? found.backup : undefined;
  } catch (error) {
    if (["EACCES", "EPERM"].includes(file.codeOf(error))) return undefined;
    if (file.codeOf(error) === "ENOENT" || file.codeOf((error as Error).cause) === "ENOENT") return undefined;
    throw error;
  }
}

async function existing(files: Files, backupDir: string, name: ArchiveName): Promise<BackupManifest> {
  const found = await find(files, backupDir, name);
  if (found === undefined) throw notFound(name);
  return found.manifest;
}

async function open(files: Files, backupDir: string, name: ArchiveName): Promise<AsyncIterable<Uint8Array>> {
  const parts = parseArchiveName(name);
  if (parts === undefined || !(await isFolder(files, join(backupDir, parts.date)))) throw notFound(name);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await files.open(join(backupDir, name), flags).catch((error: unknown) => {
    throw ["ENOENT", "ELOOP", "ENXIO"].includes(file.codeOf(error)) ? notFound(name) : error;
  });
  if ((await handle.stat()).isFile()) return piecesOf(handle);
  await handle.close();
  throw notFound(name);
}

/** Each piece is good until the next is asked for: all of them come in the same memory. */
async function* piecesOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const memory = Buffer.allocUnsafeSlow(READ_BYTES);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(memory, 0, memory.length, null);
      if (bytesRead === 0) return;
      yield memory.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function mark(
  files: Files,
  backupDir: string,
  name: ArchiveName,
  change: ChangeMarks,
): Promise<BackupManifest> {
  // A name that is none of ours makes no lock.
  await existing(files, backupDir, name);
  return changing(files, backupDir, name, async (assertHeld) => {
    const manifest = await existing(files, backupDir, name);
    const marked = withMarks(manifest, change(manifest));
    await rewrite(files, join(backupDir, name), marked, assertHeld);
    return marked;
  });
}

async function rewrite(
  files: Files,
  path: string,
  manifest: BackupManifest,
  assertHeld: AssertHeld,
): Promise<void> {
  const folder = join(path, "..");
  const temporary = join(folder, file.temporaryName("rewrite"));
  try {
    await file.writeNew(files, temporary, serialiseManifest(manifest));
    await assertHeld();
    await files.rename(temporary, `${path}.json`);
    await file.syncFolder(files, folder);
  } catch (error) {
    await file.clearUp(() => file.removeIfThere(files, temporary));
    throw file.volumeError(error, `manifest of ${manifest.name}`);
  }
}

async function remove(
  files: Files,
  backupDir: string,
  name: ArchiveName,
  decided?: BackupManifest,
): Promise<boolean> {
  await existing(files, backupDir, name);
  return changing(files, backupDir, name, async () => {
    const manifest = await existing(files, backupDir, name);
    if (decided !== undefined && serialiseManifest(manifest) !== serialiseManifest(decided)) return false;
    await removeBackup(files, backupDir, name);
    return true;
  });
}

async function space(files: Files, backupDir: string): Promise<Space> {
  const { bavail, bsize, files: inodes, ffree } = await files.statfs(backupDir);
  // Some file systems make inodes as they need them, and say that they have none.
  return { availableBytes: bavail * bsize, availableInodes: inodes === 0 ? Number.MAX_SAFE_INTEGER : ffree };
}

async function isFolder(files: Files, path: string): Promise<boolean> {
  try {
    return (await files.lstat(path)).isDirectory();
  } catch (error) {
    if (file.codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

function notFound(name: string): DormouseError {
  return new DormouseError("backup_not_found", `there is no backup ${JSON.stringify(name)}`, {
    hint: "GET / lists the catalog",
  });
}
