import * as promises from "./volume-calls.ts";
import { join } from "node:path";
import { parseArchiveName, type ArchiveName } from "../archive-name.ts";
import type { Backup } from "../backup.ts";
import type { ChangeMarks, Space, VolumeCatalog } from "../catalog.ts";
import { coalesced } from "../../waiting.ts";
import { serialiseManifest, withMarks, type BackupManifest } from "../manifest.ts";
import { adoptLegacy } from "../legacy/adopt-legacy.ts";
import { changing, type AssertHeld } from "./change-lock.ts";
import type { KnownServer } from "../legacy/decide-database.ts";
import { listVolume, readBackup, Vanished } from "./list-volume.ts";
import { isPlainFolder, notFound, openArchive, piecesOf } from "./open-regular.ts";
import type { PrintArchive } from "../legacy/read-legacy.ts";
import { finishRemoval, removeBackup } from "./remove-backup.ts";
import { stageArchive } from "../staging/stage-archive.ts";
import { stageWritten } from "../staging/stage-written.ts";
import { writeDurably } from "./write-durably.ts";
import { listLeftovers, sweepRun } from "./sweep-run.ts";
import { freeBytesOf, isOutOfReach, type Files } from "./files.ts";

type Reading = {
  /** Tells apart the files of backup-container. */
  readonly known?: KnownServer;
  /** Only what adopts has to print archives. */
  readonly print?: PrintArchive;
};

/** The catalog on a mounted volume: the primary one. */
export function volumeCatalog(
  backupDir: string,
  files: Files = promises,
  { known = { databases: [] }, print }: Reading = {},
): VolumeCatalog {
  return {
    list: coalesced((signal) => listVolume(files, backupDir, known, signal)),
    find: (name) => find(files, backupDir, name),
    stage: (draft, archive, signal) => stageArchive(files, backupDir, draft, { archive, signal }),
    stageWritten: (draft, writer, signal) => stageWritten(files, backupDir, draft, { writer, signal }),
    open: async (name, fromByte) => piecesOf(await openArchive(files, backupDir, name), fromByte),
    mark: (name, change) => mark(files, backupDir, name, change),
    remove: async (name, _signal, decided) =>
      (await remove(files, backupDir, name, decided)) ? "removed" : "changed",
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
  if (parts === undefined || !(await isPlainFolder(files, backupDir, parts.folder))) return undefined;
  try {
    const found = await readBackup(files, backupDir, parts);
    return "backup" in found ? found.backup : undefined;
  } catch (error) {
    if (error instanceof Vanished || isOutOfReach(error)) return undefined;
    throw error;
  }
}

async function existing(files: Files, backupDir: string, name: ArchiveName): Promise<BackupManifest> {
  const found = await find(files, backupDir, name);
  if (found === undefined) throw notFound(name);
  return found.manifest;
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
  await writeDurably(files, `${path}.json`, serialiseManifest(manifest), {
    writer: "rewrite",
    what: `manifest of ${manifest.name}`,
    async move(temporary) {
      await assertHeld();
      await files.rename(temporary, `${path}.json`);
      return true;
    },
  });
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
  const found = await files.statfs(backupDir);
  // Some file systems make inodes as they need them, and say that they have none.
  const availableInodes = found.files === 0 ? Number.MAX_SAFE_INTEGER : found.ffree;
  return { availableBytes: freeBytesOf(found), availableInodes };
}
