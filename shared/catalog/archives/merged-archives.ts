import { archiveFiles } from "./archive-files.ts";
import type { ArchiveFile, ArchiveFiles, ArchiveSource, CopiedArchives } from "./archive-file.ts";
import { copied, decrypted, fetched, isCopied, NO_COPY, roomFor } from "./fetch-archive.ts";
import type { ArchivePlaces, Described, Task } from "./fetch-archive.ts";
import { sweepRestoreDir } from "./restore-dir.ts";
import type { Decrypt } from "../encryption.ts";
import { DormouseError } from "../../errors.ts";

/**
 * Plain archives, from the volume or from the bucket, every byte compared with the manifest before it is handed out. A
 * signature that is not trusted and a key that is missing or wrong are reported before anything is fetched or written.
 */
export function mergedArchives(places: ArchivePlaces): CopiedArchives {
  const volume = archiveFiles(places.backupDir);
  /** Undefined for a file of the old pod, which lies on the volume as it is. */
  const taskFor = (backup: ArchiveSource, signal: AbortSignal): FromPlaces | undefined => {
    const { manifest } = backup;
    if (manifest === undefined) return refuseUnsigned(places, backup);
    return { places, volume, backup: { ...backup, manifest }, signal };
  };
  return {
    readPlain: (backup, file, signal) => volume.readPlain(backup, file, signal),
    sweep: (database, wanted) => sweepRestoreDir(places.restoreDir, database, wanted),
    room: async ({ manifest, ...backup }) =>
      manifest === undefined ? NO_COPY : roomFor(places, { ...backup, manifest }),
    beginning(backup, signal) {
      const task = taskFor(backup, signal);
      return task === undefined ? volume.beginning(backup, signal) : beginning(task);
    },
    async open(backup, signal) {
      const task = taskFor(backup, signal);
      return task === undefined ? volume.open(backup, signal) : open(task);
    },
  };
}

type FromPlaces = Task & { readonly volume: ArchiveFiles };

function refuseUnsigned({ checkSignature }: ArchivePlaces, { name }: ArchiveSource): undefined {
  if (checkSignature === undefined) return undefined;
  const message = `${name} is a file of the old pod, which signed nothing`;
  throw new DormouseError("signature_invalid", message, {
    hint: "restore it without MANIFEST_PUBLIC_KEY, if you know where it comes from",
  });
}

async function* beginning(task: FromPlaces): AsyncGenerator<Uint8Array> {
  const { places, backup } = task;
  places.checkSignature?.(backup.manifest);
  const decrypt = keyFor(places, backup);
  const stored = storedBeginning(task);
  yield* decrypt === undefined ? stored : decrypt(stored);
}

async function* storedBeginning({ places, volume, backup, signal }: FromPlaces): AsyncGenerator<Uint8Array> {
  let isThere = false;
  try {
    for await (const chunk of volume.beginning(backup, signal)) {
      isThere = true;
      yield chunk;
    }
  } catch (error) {
    const isLost = !isThere && error instanceof DormouseError && error.code === "backup_not_found";
    if (!isLost || places.fetch === undefined) throw error;
    yield* await places.fetch(backup.name, 0, signal);
  }
}

async function open(task: FromPlaces): Promise<ArchiveFile> {
  const { places, backup } = task;
  places.checkSignature?.(backup.manifest);
  const decrypt = keyFor(places, backup);
  if (decrypt !== undefined) return openEncrypted(task, decrypt);
  return (await onVolume(task)) ?? fetched(task);
}

function keyFor({ decrypt }: ArchivePlaces, { name, manifest }: Described): Decrypt | undefined {
  const { recipients } = manifest.archive;
  if (recipients === undefined) return undefined;
  if (decrypt !== undefined) return decrypt;
  const message = `archive ${name} is encrypted to ${recipients.join(", ")}, and there is no key`;
  throw new DormouseError("decryption_key_not_found", message, {
    hint: "set AGE_IDENTITY_FILE to the file with the private key of one of them",
  });
}

/** The volume's own file, if it is there and whole. Where there is a bucket, its copy makes good for what is damaged. */
async function onVolume(task: FromPlaces): Promise<ArchiveFile | undefined> {
  const { places, volume, backup, signal } = task;
  try {
    return await (isCopied(places, backup) ? copied(task) : volume.open(backup, signal));
  } catch (error) {
    const isLost =
      error instanceof DormouseError && ["backup_not_found", "archive_damaged"].includes(error.code);
    if (isLost && places.fetch !== undefined) return undefined;
    throw error;
  }
}

async function openEncrypted(task: FromPlaces, decrypt: Decrypt): Promise<ArchiveFile> {
  await using local = await onVolume(task);
  await tryKey(task, decrypt, local);
  if (local !== undefined) return await decrypted(task, decrypt, local);
  await using copy = await fetched(task);
  return await decrypted(task, decrypt, copy);
}

/** Only the beginning is read: it names the keys that open the rest. */
async function tryKey(
  { places, backup, signal }: Task,
  decrypt: Decrypt,
  local: ArchiveFile | undefined,
): Promise<void> {
  const source = local?.bytes() ?? (await places.fetch?.(backup.name, 0, signal));
  if (source !== undefined) for await (const first of decrypt(source)) if (first.length >= 0) break;
}
