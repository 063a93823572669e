import { constants } from "node:fs";
import * as promises from "node:fs/promises";
import { join } from "node:path";
import type { ArchiveFile, OpenArchiveFile } from "../backup/archive-file.ts";
import type { Backup } from "../backup/backup.ts";
import type { CheckSignature, Decrypt } from "../backup/encryption.ts";
import type { Mirror } from "../backup/mirror.ts";
import { DormouseError } from "../errors.ts";
import { digestOf, writeAll, type Digest } from "./digest.ts";
import { codeOf, removeIfThere, temporaryName, volumeError } from "./files.ts";

export type ArchivePlaces = {
  readonly backupDir: string;
  /** Scratch: what is fetched and decrypted. */
  readonly restoreDir: string;
  /** Unset: there is no bucket. */
  readonly fetch?: Mirror["open"] | undefined;
  /** Unset: there is no key. */
  readonly decrypt?: Decrypt | undefined;
  /** Unset: signatures are not looked at. */
  readonly checkSignature?: CheckSignature | undefined;
};

type Task = {
  readonly places: ArchivePlaces;
  readonly backup: Backup;
  readonly signal: AbortSignal;
  readonly progress: (detail: Readonly<Record<string, unknown>>) => void;
};

/** In bytes: how often whoever waits is told. */
const TELL_EVERY = 64 << 20;

/**
 * The plain archive of a backup, from the volume or from the bucket, every byte compared with the manifest before it is
 * handed out. A key that is missing or wrong is told before anything is fetched or written.
 */
export function archiveFiles(places: ArchivePlaces): OpenArchiveFile {
  return async (backup, signal, progress) => {
    const task = { places, backup, signal, progress };
    places.checkSignature?.(backup.manifest);
    const decrypt = keyFor(places, backup);
    const local = await onVolume(task);
    if (local === undefined && places.fetch === undefined) throw notFound(backup);
    if (decrypt !== undefined) return openEncrypted(task, decrypt, local);
    return local === undefined ? copyAt(await fetched(task)) : originalAt(local);
  };
}

function keyFor({ decrypt }: ArchivePlaces, { name, manifest }: Backup): Decrypt | undefined {
  const { recipients } = manifest.archive;
  if (recipients === undefined) return undefined;
  if (decrypt !== undefined) return decrypt;
  const message = `archive ${name} is encrypted to ${recipients.join(", ")}, and there is no key`;
  throw new DormouseError("key_missing", message, {
    hint: "set AGE_IDENTITY_FILE to the file with the private key of one of them",
  });
}

async function openEncrypted(task: Task, decrypt: Decrypt, local: string | undefined): Promise<ArchiveFile> {
  await tryKey(task, decrypt, local);
  const stored = local ?? (await fetched(task));
  try {
    return copyAt(await decrypted(task, decrypt, stored));
  } finally {
    if (local === undefined) await removeIfThere(promises, stored);
  }
}

/** The volume's own file, if it is there and whole. One that is damaged is no loss while the bucket has another. */
async function onVolume({ places, backup, signal }: Task): Promise<string | undefined> {
  const path = join(places.backupDir, backup.name);
  try {
    await compare(path, backup, backup.manifest.archive, signal);
    return path;
  } catch (error) {
    const isGone = codeOf(error) === "ENOENT" || codeOf(error) === "ELOOP";
    const isDamaged = error instanceof DormouseError && error.code === "archive_damaged";
    if (isGone || (isDamaged && places.fetch !== undefined)) return undefined;
    throw error;
  }
}

/** Only the beginning is read: it names who can open the rest. */
async function tryKey(
  { places, backup, signal }: Task,
  decrypt: Decrypt,
  local: string | undefined,
): Promise<void> {
  const source = local === undefined ? await places.fetch?.(backup.name, 0, signal) : readFrom(local);
  if (source !== undefined) for await (const first of decrypt(source)) if (first.length >= 0) break;
}

async function fetched(task: Task): Promise<string> {
  const { places, backup, signal } = task;
  // A name that stays: what an earlier attempt has fetched is not fetched again.
  const path = join(places.restoreDir, `${backup.name.replace("/", "_")}.fetched`);
  const had = await append(task, path);
  try {
    await compare(path, backup, backup.manifest.archive, signal);
    return path;
  } catch (error) {
    await removeIfThere(promises, path);
    if (had === 0 || !(error instanceof DormouseError)) throw error;
    // What was there before may have been of something else.
    return fetched(task);
  }
}

/** Answers how much was there already. */
async function append({ places, backup, signal, progress }: Task, path: string): Promise<number> {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const what = `copy of ${backup.name} in RESTORE_DIR`;
  const handle = await promises.open(path, flags, 0o600).catch((error: unknown) => {
    throw volumeError(error, what);
  });
  try {
    const { size } = await handle.stat();
    const missing = backup.sizeBytes - size;
    if (missing > 0) {
      await assertRoom(places.restoreDir, missing + decryptedBytes(backup));
      const source = await places.fetch?.(backup.name, size, signal);
      if (source !== undefined) await writeAll(handle, told(source, size, backup, progress), signal);
    }
    return size;
  } catch (error) {
    throw volumeError(error, what);
  } finally {
    await handle.close();
  }
}

async function* told(
  source: AsyncIterable<Uint8Array>,
  from: number,
  { sizeBytes }: Backup,
  progress: Task["progress"],
): AsyncGenerator<Uint8Array> {
  let fetchedBytes = from;
  let next = from;
  for await (const chunk of source) {
    yield chunk;
    fetchedBytes += chunk.length;
    if (fetchedBytes < next) continue;
    progress({ fetchedBytes, ofBytes: sizeBytes });
    next = fetchedBytes + TELL_EVERY;
  }
}

async function decrypted(
  { places, backup, signal }: Task,
  decrypt: Decrypt,
  stored: string,
): Promise<string> {
  const path = join(places.restoreDir, temporaryName(backup.name.replace("/", "_")));
  const { decrypted: expected } = backup.manifest.archive;
  try {
    await assertRoom(places.restoreDir, decryptedBytes(backup));
    const handle = await promises.open(path, "wx", 0o600);
    try {
      await writeAll(handle, decrypt(readFrom(stored)), signal);
    } finally {
      await handle.close();
    }
    if (expected !== undefined) await compare(path, backup, expected, signal);
    return path;
  } catch (error) {
    await removeIfThere(promises, path);
    throw volumeError(error, `decrypted copy of ${backup.name} in RESTORE_DIR`);
  }
}

async function compare(path: string, { name }: Backup, expected: Digest, signal: AbortSignal): Promise<void> {
  const handle = await promises.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await digestOf(handle, signal);
    if (found.sha256 === expected.sha256 && found.sizeBytes === expected.sizeBytes) return;
    throw new DormouseError("archive_damaged", `archive ${name} is not what its manifest says`, {
      hint: "take the copy in the other place, or another backup, and distrust the storage",
    });
  } finally {
    await handle.close();
  }
}

async function* readFrom(path: string): AsyncGenerator<Uint8Array> {
  const handle = await promises.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  yield* handle.createReadStream({ highWaterMark: 1 << 18 });
}

async function assertRoom(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await promises.statfs(folder);
  if (bavail * bsize >= neededBytes) return;
  const message = `RESTORE_DIR needs ${neededBytes} bytes, ${bavail * bsize} are free`;
  throw new DormouseError("disk_full", message, { hint: "mount a larger volume at RESTORE_DIR" });
}

function decryptedBytes({ manifest }: Backup): number {
  return manifest.archive.decrypted?.sizeBytes ?? 0;
}

function copyAt(path: string): ArchiveFile {
  return { path, [Symbol.asyncDispose]: async () => void (await removeIfThere(promises, path)) };
}

/** Not ours to remove. */
function originalAt(path: string): ArchiveFile {
  return { path, [Symbol.asyncDispose]: async () => undefined };
}

function notFound({ name }: Backup): DormouseError {
  return new DormouseError("backup_not_found", `the volume has no archive ${name}, and there is no bucket`, {
    hint: "set S3_BUCKET if backups are mirrored",
  });
}
