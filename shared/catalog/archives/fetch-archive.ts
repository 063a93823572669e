import type { FileHandle } from "node:fs/promises";
import * as promises from "../volume/volume-calls.ts";
import { join } from "node:path";
import type { ArchiveFile, ArchiveSource, CopyRoom } from "./archive-file.ts";
import type { CheckSignature, Decrypt } from "../encryption.ts";
import type { BackupManifest } from "../manifest.ts";
import type { Catalog } from "../catalog.ts";
import { DormouseError } from "../../errors.ts";
import { archiveIn } from "./archive-files.ts";
import { assertDescribed, hashing, otherThanDescribed, type Digest } from "../digest.ts";
import { toBytes, readDigest, writeAll } from "../volume/file-digest.ts";
import { openArchive } from "../volume/open-regular.ts";
import { freeBytesOf, statIfThere, removeIfThere, volumeError } from "../volume/files.ts";
import { copyName, fetchedName, sweptBytes } from "./restore-dir.ts";

export type ArchivePlaces = {
  readonly backupDir: string;
  /** Scratch: what is fetched and decrypted. */
  readonly restoreDir: string;
  /** Unset: there is no bucket. */
  readonly fetch?: Catalog["open"] | undefined;
  /** Unset: there is no key. */
  readonly decrypt?: Decrypt | undefined;
  /** Unset: signatures are not looked at. */
  readonly checkSignature?: CheckSignature | undefined;
};

export const NO_COPY: CopyRoom = { neededBytes: 0, availableBytes: 0 };

export type Described = ArchiveSource & { readonly manifest: BackupManifest };
export type Task = {
  readonly places: ArchivePlaces;
  readonly backup: Described;
  readonly signal: AbortSignal;
};

/** Whether the volume's own file is copied before it is read. */
export function isCopied({ checkSignature }: ArchivePlaces, { manifest }: Described): boolean {
  return checkSignature !== undefined && manifest.archive.recipients === undefined;
}

/** Where signatures are asked for, writers to the volume are not trusted: nor is a file that they can still change. */
export async function copied(task: Task): Promise<ArchiveFile> {
  const { places, backup } = task;
  await using source = await openArchive(promises, places.backupDir, backup.name);
  const { size } = await source.stat();
  if (size !== backup.manifest.archive.sizeBytes) throw otherThanDescribed(backup.name);
  await assertRoom(places.restoreDir, size);
  return await copyArchive(task, toBytes(source), (copy) =>
    assertDescribed(backup.name, copy, backup.manifest.archive),
  );
}

/** The bucket's copy, from where an earlier attempt stopped. */
export async function fetched(task: Task): Promise<ArchiveFile> {
  const { places, backup, signal } = task;
  const path = join(places.restoreDir, fetchedName(backup.name));
  const what = `copy of ${backup.name} in RESTORE_DIR`;
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = promises.constants;
  const handle = await promises
    .open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
    .catch((error: unknown) => {
      throw volumeError(error, what);
    });
  let had = 0;
  try {
    had = (await handle.stat()).size;
    await append(task, handle, had);
  } catch (error) {
    await handle.close();
    throw volumeError(error, what);
  }
  try {
    assertDescribed(backup.name, await readDigest(handle, signal), backup.manifest.archive);
    return copyIn(handle, path);
  } catch (error) {
    await copyIn(handle, path)[Symbol.asyncDispose]();
    if (had === 0 || !(error instanceof DormouseError)) throw error;
    // What was there before may have been of something else.
    return fetched(task);
  }
}

async function append({ places, backup, signal }: Task, handle: FileHandle, had: number): Promise<void> {
  const missing = backup.sizeBytes - had;
  if (missing <= 0) return;
  await assertRoom(places.restoreDir, missing + decryptedBytes(backup));
  const source = await places.fetch?.(backup.name, had, signal);
  if (source !== undefined) await writeAll(handle, source, signal);
}

/** What is decrypted is once more what its manifest says: it may have been overwritten since it was looked at. */
export async function decrypted(task: Task, decrypt: Decrypt, stored: ArchiveFile): Promise<ArchiveFile> {
  const { places, backup } = task;
  const described = backup.manifest.archive;
  await assertRoom(places.restoreDir, decryptedBytes(backup));
  const source = hashing(stored.bytes());
  return copyArchive(task, decrypt(source.bytes), (copy) => {
    assertDescribed(backup.name, source.digest(), described);
    if (described.decrypted !== undefined) assertDescribed(backup.name, copy, described.decrypted);
  });
}

/** Read back before it is looked at, by the descriptor that a restore then loads. */
async function copyArchive(
  { places, backup, signal }: Task,
  source: AsyncIterable<Uint8Array>,
  check: (copy: Digest) => void,
): Promise<ArchiveFile> {
  const path = join(places.restoreDir, copyName(backup.name));
  const what = `copy of ${backup.name} in RESTORE_DIR`;
  const handle = await promises.open(path, "wx+", 0o600).catch((error: unknown) => {
    throw volumeError(error, what);
  });
  const copy = copyIn(handle, path);
  try {
    await writeAll(handle, source, signal);
    check(await readDigest(handle, signal));
    return copy;
  } catch (error) {
    await copy[Symbol.asyncDispose]();
    throw volumeError(error, what);
  }
}

/** What copies of an archive need, by the size of what lies in each place: nothing is read. */
export async function roomFor(places: ArchivePlaces, backup: Described): Promise<CopyRoom> {
  const { backupDir, restoreDir, fetch } = places;
  const sizeAt = async (path: string) =>
    (await statIfThere(promises, path).catch(() => undefined))?.size ?? 0;
  const isThere = (await sizeAt(join(backupDir, backup.name))) === backup.sizeBytes;
  const copiedBytes = isCopied(places, backup) ? backup.sizeBytes : 0;
  const missing = backup.sizeBytes - (await sizeAt(join(restoreDir, fetchedName(backup.name))));
  const fetchedBytes = fetch === undefined ? 0 : Math.max(0, missing);
  const neededBytes = (isThere ? copiedBytes : fetchedBytes) + decryptedBytes(backup);
  if (neededBytes === 0) return NO_COPY;
  const left = await sweptBytes(restoreDir, backup.database, backup.name);
  return { neededBytes, availableBytes: (await freeIn(restoreDir)) + left };
}

async function freeIn(folder: string): Promise<number> {
  return freeBytesOf(await promises.statfs(folder));
}

async function assertRoom(folder: string, neededBytes: number): Promise<void> {
  const free = await freeIn(folder);
  if (free >= neededBytes) return;
  const message = `RESTORE_DIR needs ${neededBytes} bytes, ${free} are free`;
  throw new DormouseError("disk_full", message, { hint: "mount a larger volume at RESTORE_DIR" });
}

function decryptedBytes({ manifest }: Described): number {
  return manifest.archive.decrypted?.sizeBytes ?? 0;
}

function copyIn(handle: FileHandle, path: string): ArchiveFile {
  return archiveIn(handle, async () => {
    await handle.close();
    await removeIfThere(promises, path);
  });
}
