import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open as openFile } from "../volume/volume-calls.ts";
import { join } from "node:path";
import type { ArchiveName } from "../archive-name.ts";
import type { ArchiveFile, ArchiveFiles, ArchiveSource } from "./archive-file.ts";
import type { PlainDump } from "../../postgres/plain-dump/plain-dump.ts";
import { DormouseError } from "../../errors.ts";
import { bytesOf, digestOf, type Digest } from "../volume/digest.ts";
import { codeOf } from "../volume/files.ts";
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
  const handle = await openRegular(backupDir, backup.name);
  try {
    if (backup.manifest !== undefined) assertDigest(backup, await digestOf(handle, signal));
    return archiveIn(handle, () => handle.close());
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export function archiveIn(handle: FileHandle, dispose: () => Promise<void>): ArchiveFile {
  return { fd: handle.fd, bytes: () => bytesOf(handle), [Symbol.asyncDispose]: dispose };
}

async function* beginning(backupDir: string, name: ArchiveName): AsyncGenerator<Uint8Array> {
  await using file = await openRegular(backupDir, name);
  yield* bytesOf(file);
}

/** Neither a link nor a FIFO in the place of the file is followed or waited for. */
export async function openRegular(backupDir: string, name: ArchiveName): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await openFile(join(backupDir, name), flags).catch((error: unknown) => {
    throw ["ENOENT", "ELOOP", "ENXIO"].includes(codeOf(error)) ? notFound(name) : error;
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw notFound(name);
}

/** Throws `archive_damaged` unless the bytes of the archive were those. */
export function assertDigest(
  { name, manifest }: Pick<ArchiveSource, "name" | "manifest">,
  { sha256, sizeBytes }: Digest,
): void {
  if (sha256 === manifest?.archive.sha256 && sizeBytes === manifest.archive.sizeBytes) return;
  throw otherThanDescribed(name);
}

export function otherThanDescribed(name: ArchiveName): DormouseError {
  return new DormouseError(
    "archive_damaged",
    `${name} is not what its manifest describes: the hash differs`,
    {
      hint: "take its copy in the other place, or another backup, and distrust the storage",
    },
  );
}

async function readPlain(backup: ArchiveSource, file: ArchiveFile, signal: AbortSignal): Promise<PlainDump> {
  const read = await readLegacy(file.bytes(), backup, { signal });
  if ("contents" in read) return read.contents.dump;
  throw new DormouseError("archive_damaged", `${backup.name} ${read.damage}`, {
    hint: "restore another backup: GET / lists them",
  });
}

function notFound(name: string): DormouseError {
  return new DormouseError("backup_not_found", `${name} is no regular file`, {
    hint: "GET / lists the catalog",
  });
}
