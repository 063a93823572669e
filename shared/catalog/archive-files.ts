import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open as openFile } from "./volume-calls.ts";
import { join } from "node:path";
import type { ArchiveFile, ArchiveFiles } from "../backup/archive-file.ts";
import type { PlainDump } from "../backup/plain-dump.ts";
import type { Restorable } from "../backup/restorable.ts";
import { DormouseError } from "../errors.ts";
import { digestOf } from "./digest.ts";
import { codeOf } from "./files.ts";
import { READ_BYTES, readLegacy } from "./read-legacy.ts";

/** Archives that lie on the volume as they are. */
export function archiveFiles(backupDir: string): ArchiveFiles {
  return { open: (backup, signal) => open(backupDir, backup, signal), readPlain };
}

async function open(backupDir: string, backup: Restorable, signal: AbortSignal): Promise<ArchiveFile> {
  const path = join(backupDir, backup.name);
  const handle = await openRegular(path, backup.name);
  try {
    if (backup.manifest !== undefined) await compare(handle, backup, signal);
  } finally {
    await handle.close();
  }
  return {
    path,
    async *bytes() {
      await using file = await openRegular(path, backup.name);
      yield* file.createReadStream({
        highWaterMark: READ_BYTES,
        autoClose: false,
      }) as AsyncIterable<Uint8Array>;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Neither a link nor a FIFO in the place of the file is followed or waited for. */
async function openRegular(path: string, name: string): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await openFile(path, flags).catch((error: unknown) => {
    throw ["ENOENT", "ELOOP", "ENXIO"].includes(codeOf(error)) ? notFound(name) : error;
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw notFound(name);
}

async function compare(
  handle: FileHandle,
  { name, manifest }: Restorable,
  signal: AbortSignal,
): Promise<void> {
  const { sha256, sizeBytes } = await digestOf(handle, signal);
  if (sha256 === manifest?.archive.sha256 && sizeBytes === manifest.archive.sizeBytes) return;
  throw new DormouseError("archive_damaged", `${name} is not what its manifest describes: the hash differs`, {
    hint: "restore another backup, and check the volume: GET / lists the backups",
  });
}

async function readPlain(backup: Restorable, file: ArchiveFile, signal: AbortSignal): Promise<PlainDump> {
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
