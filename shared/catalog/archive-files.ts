import { constants } from "node:fs";
import { open as openFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { ArchiveFile, ArchiveFiles } from "../backup/archive-file.ts";
import { plainDumpScanner, type PlainDump } from "../backup/plain-dump.ts";
import type { Restorable } from "../backup/restorable.ts";
import { DormouseError } from "../errors.ts";
import { digestOf } from "./digest.ts";
import { codeOf } from "./files.ts";

const READ_BYTES = 1 << 18;
/** A dump of ours shrinks to a tenth, one of nothing but zeros to a thousandth. */
const MAX_EXPANSION = 200;
const BOMB_FLOOR_BYTES = 64 << 20;

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
  const scanner = plainDumpScanner();
  const limitBytes = Math.max(BOMB_FLOOR_BYTES, backup.sizeBytes * MAX_EXPANSION);
  let plainBytes = 0;
  const scan = async (script: AsyncIterable<Uint8Array>) => {
    for await (const chunk of script) {
      plainBytes += chunk.length;
      if (plainBytes > limitBytes) throw damaged(backup, `it grows beyond ${MAX_EXPANSION} times its size`);
      scanner.push(chunk);
    }
  };
  try {
    if (backup.format === "gzip-sql")
      await pipeline(file.bytes(), createGunzip({ chunkSize: READ_BYTES }), scan, { signal });
    else await pipeline(file.bytes(), scan, { signal });
  } catch (error) {
    signal.throwIfAborted();
    // Z_DATA_ERROR, Z_BUF_ERROR (it ends too early) and their kind.
    if (codeOf(error).startsWith("Z_")) throw damaged(backup, `gunzip says: ${(error as Error).message}`);
    throw error;
  }
  return scanner.end();
}

function damaged({ name }: Restorable, why: string): DormouseError {
  return new DormouseError("archive_damaged", `${name} cannot be read to its end: ${why}`, {
    hint: "restore another backup: GET / lists them",
  });
}

function notFound(name: string): DormouseError {
  return new DormouseError("backup_not_found", `${name} is no regular file`, {
    hint: "GET / lists the catalog",
  });
}
