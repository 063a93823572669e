import { constants } from "node:fs";
import * as promises from "./volume-calls.ts";
import { join } from "node:path";
import type { ArchiveFile, ArchiveFiles } from "../backup/archive-file.ts";
import type { CheckSignature, Decrypt } from "../backup/encryption.ts";
import type { BackupManifest } from "../backup/manifest.ts";
import type { Mirror } from "../backup/mirror.ts";
import type { Restorable } from "../backup/restorable.ts";
import { DormouseError } from "../errors.ts";
import { archiveFiles } from "./archive-files.ts";
import { digestOf, writeAll, type Digest } from "./digest.ts";
import { removeIfThere, volumeError } from "./files.ts";
import { decryptedName, fetchedName, sweepRestoreDir } from "./restore-dir.ts";

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

type Described = Restorable & { readonly manifest: BackupManifest };
type Task = {
  readonly places: ArchivePlaces;
  readonly volume: ArchiveFiles;
  readonly backup: Described;
  readonly signal: AbortSignal;
};

/**
 * Plain archives, from the volume or from the bucket, every byte compared with the manifest before it is handed out. A
 * signature that is not trusted and a key that is missing or wrong are told before anything is fetched or written.
 */
export function archivesOfBothPlaces(places: ArchivePlaces): ArchiveFiles {
  const volume = archiveFiles(places.backupDir);
  return {
    readPlain: (backup, file, signal) => volume.readPlain(backup, file, signal),
    async open(backup, signal) {
      const { manifest } = backup;
      if (manifest !== undefined) return open({ places, volume, backup: { ...backup, manifest }, signal });
      if (places.checkSignature === undefined) return volume.open(backup, signal);
      const message = `${backup.name} is a file of the old pod, which signed nothing`;
      throw new DormouseError("signature_invalid", message, {
        hint: "restore it without MANIFEST_PUBLIC_KEY, if you know where it comes from",
      });
    },
  };
}

async function open(task: Task): Promise<ArchiveFile> {
  const { places, backup } = task;
  places.checkSignature?.(backup.manifest);
  const decrypt = keyFor(places, backup);
  await sweepRestoreDir(places.restoreDir, backup.name);
  const local = await onVolume(task);
  if (decrypt !== undefined) return openEncrypted(task, decrypt, local);
  return local ?? copyAt(await fetched(task));
}

function keyFor({ decrypt }: ArchivePlaces, { name, manifest }: Described): Decrypt | undefined {
  const { recipients } = manifest.archive;
  if (recipients === undefined) return undefined;
  if (decrypt !== undefined) return decrypt;
  const message = `archive ${name} is encrypted to ${recipients.join(", ")}, and there is no key`;
  throw new DormouseError("key_missing", message, {
    hint: "set AGE_IDENTITY_FILE to the file with the private key of one of them",
  });
}

/** The volume's own file, if it is there and whole. Where there is a bucket, its copy makes good for what is damaged. */
async function onVolume({ places, volume, backup, signal }: Task): Promise<ArchiveFile | undefined> {
  try {
    return await volume.open(backup, signal);
  } catch (error) {
    const isLost =
      error instanceof DormouseError && ["backup_not_found", "archive_damaged"].includes(error.code);
    if (isLost && places.fetch !== undefined) return undefined;
    throw error;
  }
}

async function openEncrypted(
  task: Task,
  decrypt: Decrypt,
  local: ArchiveFile | undefined,
): Promise<ArchiveFile> {
  await tryKey(task, decrypt, local);
  await using stored = local ?? copyAt(await fetched(task));
  return copyAt(await decrypted(task, decrypt, stored));
}

/** Only the beginning is read: it names who can open the rest. */
async function tryKey(
  { places, backup, signal }: Task,
  decrypt: Decrypt,
  local: ArchiveFile | undefined,
): Promise<void> {
  const source = local?.bytes() ?? (await places.fetch?.(backup.name, 0, signal));
  if (source !== undefined) for await (const first of decrypt(source)) if (first.length >= 0) break;
}

async function fetched(task: Task): Promise<string> {
  const { places, backup, signal } = task;
  const path = join(places.restoreDir, fetchedName(backup.name));
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
async function append({ places, backup, signal }: Task, path: string): Promise<number> {
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
      if (source !== undefined) await writeAll(handle, source, signal);
    }
    return size;
  } catch (error) {
    throw volumeError(error, what);
  } finally {
    await handle.close();
  }
}

async function decrypted(
  { places, backup, signal }: Task,
  decrypt: Decrypt,
  stored: ArchiveFile,
): Promise<string> {
  const path = join(places.restoreDir, decryptedName(backup.name));
  const { decrypted: expected } = backup.manifest.archive;
  try {
    await assertRoom(places.restoreDir, decryptedBytes(backup));
    const handle = await promises.open(path, "wx", 0o600);
    try {
      await writeAll(handle, decrypt(stored.bytes()), signal);
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

async function compare(
  path: string,
  { name }: Described,
  expected: Digest,
  signal: AbortSignal,
): Promise<void> {
  await using handle = await promises.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const found = await digestOf(handle, signal);
  if (found.sha256 === expected.sha256 && found.sizeBytes === expected.sizeBytes) return;
  throw new DormouseError("archive_damaged", `archive ${name} is not what its manifest says`, {
    hint: "take the copy in the other place, or another backup, and distrust the storage",
  });
}

async function assertRoom(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await promises.statfs(folder);
  if (bavail * bsize >= neededBytes) return;
  const message = `RESTORE_DIR needs ${neededBytes} bytes, ${bavail * bsize} are free`;
  throw new DormouseError("disk_full", message, { hint: "mount a larger volume at RESTORE_DIR" });
}

function decryptedBytes({ manifest }: Described): number {
  return manifest.archive.decrypted?.sizeBytes ?? 0;
}

function copyAt(path: string): ArchiveFile {
  return {
    path,
    async *bytes() {
      await using handle = await promises.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      yield* handle.createReadStream({
        highWaterMark: 1 << 18,
        autoClose: false,
      }) as AsyncIterable<Uint8Array>;
    },
    [Symbol.asyncDispose]: async () => void (await removeIfThere(promises, path)),
  };
}
