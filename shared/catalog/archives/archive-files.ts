import type { FileHandle } from "node:fs/promises";
import * as promises from "../volume/volume-calls.ts";
import type { ArchiveName } from "../archive-name.ts";
import type { ArchiveFile, ArchiveFiles, ArchiveSource } from "./archive-file.ts";
import type { CountedDump } from "../../postgres/plain-dump/plain-dump.ts";
import { DormouseError } from "../../errors.ts";
import { assertDescribed } from "../digest.ts";
import { toBytes, readDigest } from "../volume/file-digest.ts";
import { openArchive } from "../volume/open-regular.ts";
import { readLegacy } from "../legacy/read-legacy.ts";

/** Archives that lie on the volume as they are. */
export function archiveFiles(backupDir: string): ArchiveFiles {
  return {
    open: (backup, signal) => open(backupDir, backup, signal),
    beginning: (backup) => beginning(backupDir, backup.name),
    readPlain,
  };
}

async function open(backupDir: string, backup: ArchiveSource, signal: AbortSignal): Promise<ArchiveFile> {
  const handle = await openArchive(promises, backupDir, backup.name);
  try {
    const described = backup.manifest?.archive;
    if (described !== undefined) assertDescribed(backup.name, await readDigest(handle, signal), described);
    return archiveIn(handle, () => handle.close());
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export function archiveIn(handle: FileHandle, dispose: () => Promise<void>): ArchiveFile {
  return { fd: handle.fd, bytes: () => toBytes(handle), [Symbol.asyncDispose]: dispose };
}

async function* beginning(backupDir: string, name: ArchiveName): AsyncGenerator<Uint8Array> {
  await using file = await openArchive(promises, backupDir, name);
  yield* toBytes(file);
}

async function readPlain(
  backup: ArchiveSource,
  file: ArchiveFile,
  signal: AbortSignal,
): Promise<CountedDump> {
  const read = await readLegacy(file.bytes(), backup, { signal });
  if ("contents" in read) return read.contents.dump;
  throw new DormouseError("archive_damaged", `${backup.name} ${read.damage}`, {
    hint: "restore another backup: GET / lists them",
  });
}
