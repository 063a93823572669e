import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { parseArchiveName } from "../archive-name.ts";
import { DormouseError, readCode } from "../../errors.ts";
import { statIfThere, type Files } from "./files.ts";
import { constants } from "./volume-calls.ts";

const READ_BYTES = 1 << 18;
/** Of what is read as a whole: more than a cull of thousands of backups records, and little enough for a pod's memory. */
const MAX_WHOLE_BYTES = 32 << 20;
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NONE = ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENAMETOOLONG"];

/** NFS says so of a file in whose place another client has put a new one, as of a record at each step of its run. */
const REPLACED = "ESTALE";
const ATTEMPTS = 5;

/** For reading. `undefined` unless it is a regular file: neither a link nor a FIFO in its place is followed or waited for. */
export async function openRegular(files: Files, path: string): Promise<FileHandle | undefined> {
  const handle = await files.open(path, FLAGS).catch((error: unknown) => {
    if (NONE.includes(readCode(error))) return undefined;
    throw error;
  });
  if (handle === undefined || (await handle.stat()).isFile()) return handle;
  await handle.close();
  return undefined;
}

/**
 * The text of a small file beside the archives; `undefined` where there is none. Others may write to the volume: a FIFO would be
 * waited for until the whole volume counts as gone, and a device or a huge file would fill the memory. Throws
 * `catalog_unreadable` for those.
 */
export async function readWhole(files: Files, path: string): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const whole = await readBeginning(files, path, MAX_WHOLE_BYTES + 1, (bytes) =>
      bytes.length > MAX_WHOLE_BYTES ? MAX_WHOLE_BYTES : bytes.toString("utf8"),
    );
    if (typeof whole === "string") return whole;
    if (whole !== undefined) throw noSmallFile(path, `has more than ${MAX_WHOLE_BYTES} bytes`);
    const found = await statIfThere(files, path);
    if (found === undefined) return undefined;
    // Another process has made it in between.
    if (!found.isFile() || attempt === ATTEMPTS) throw noSmallFile(path, "is not a regular file");
  }
}

function noSmallFile(path: string, why: string): DormouseError {
  return new DormouseError("catalog_unreadable", `${path} ${why}`, {
    hint: "Dormouse did not write it: find out what did, and move it away",
  });
}

/**
 * What `use` makes of the first `limit` bytes of what is there now; they are good until it returns. `undefined` unless it is a
 * regular file.
 */
export async function readBeginning<Result>(
  files: Files,
  path: string,
  limit: number,
  use: (bytes: Buffer) => Result,
): Promise<Result | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await files.readRegular(path, FLAGS, limit, use);
    } catch (error) {
      if (NONE.includes(readCode(error))) return undefined;
      if (readCode(error) !== REPLACED || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Whether a folder of backups is there, and neither it nor the one around it is a link. */
export async function isPlainFolder(files: Files, backupDir: string, folder: string): Promise<boolean> {
  const names = folder.split("/");
  for (const end of names.keys()) {
    const found = await statIfThere(files, join(backupDir, ...names.slice(0, end + 1)));
    if (found?.isDirectory() !== true) return false;
  }
  return true;
}

/** The archive of that name, in a folder that is no link. Throws `backup_not_found` unless it is a regular file. */
export async function openArchive(files: Files, backupDir: string, name: string): Promise<FileHandle> {
  const parts = parseArchiveName(name);
  const isThere = parts !== undefined && (await isPlainFolder(files, backupDir, parts.folder));
  const handle = isThere ? await openRegular(files, join(backupDir, name)) : undefined;
  if (handle !== undefined) return handle;
  throw notFound(name);
}

export function notFound(name: string): DormouseError {
  return new DormouseError("backup_not_found", `there is no backup ${JSON.stringify(name)}`, {
    hint: "GET / lists the catalog",
  });
}

/** Closes it in the end. Each piece is good until the next is asked for: all of them come in the same memory. */
export async function* piecesOf(handle: FileHandle, fromByte: number): AsyncGenerator<Uint8Array> {
  const memory = Buffer.allocUnsafeSlow(READ_BYTES);
  try {
    for (let at = fromByte; ;) {
      const { bytesRead } = await handle.read(memory, 0, memory.length, at);
      if (bytesRead === 0) return;
      yield memory.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
