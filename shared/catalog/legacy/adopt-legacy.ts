import type { Stats } from "node:fs";
import { basename, join } from "node:path";
import { toBackup, type Backup } from "../backup.ts";
import type { LegacyContents, LegacyFile } from "../catalog.ts";
import { serialiseManifest, type BackupManifest } from "../manifest.ts";
import { DormouseError } from "../../errors.ts";
import { rememberDamage } from "./damaged-files.ts";
import * as file from "../volume/files.ts";
import type { Files } from "../volume/files.ts";
import { openRegular } from "../volume/open-regular.ts";
import { writeDurably } from "../volume/write-durably.ts";
import { READ_BYTES, readLegacy, type PrintArchive } from "./read-legacy.ts";

type Adopted = { readonly backup: Backup } | { readonly damage: string };
type Describe = (contents: LegacyContents) => BackupManifest;

type Adopting = {
  readonly describe: Describe;
  readonly signal: AbortSignal;
  readonly print?: PrintArchive | undefined;
};

/** Reads a file of the old pod to its end and writes the manifest that makes it a backup. */
export async function adoptLegacy(
  files: Files,
  backupDir: string,
  legacy: LegacyFile,
  { describe, signal, print }: Adopting,
): Promise<Adopted> {
  const path = join(backupDir, legacy.name);
  if (Buffer.byteLength(`${basename(path)}.json`) > NAME_MAX) throw nameTooLong(legacy);
  const handle = await openRegular(files, path);
  if (handle === undefined) return { damage: "is gone, or no regular file" };
  try {
    const before = await handle.stat();
    const source = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: READ_BYTES });
    const read = await readLegacy(source, { ...legacy, sizeBytes: before.size }, { signal, print });
    // It is still being written: neither whole nor damaged, until it is left alone.
    if (!isSame(before, await handle.stat())) return { damage: "changed while it was read" };
    if ("contents" in read) return { backup: await writeManifest(files, path, describe(read.contents)) };
    const damage = { sizeBytes: before.size, modifiedMs: before.mtimeMs, why: read.damage };
    await rememberDamage(files, backupDir, legacy.name, damage);
    return read;
  } finally {
    await handle.close();
  }
}

/** Of the file systems of Linux, in bytes. */
const NAME_MAX = 255;

function nameTooLong({ name }: LegacyFile): DormouseError {
  return new DormouseError(
    "volume_unwritable",
    `${name} leaves no room for the name of a manifest beside it`,
    {
      hint: "give it a shorter name: .json must fit behind it",
    },
  );
}

function isSame(before: Stats, after: Stats): boolean {
  return before.size === after.size && before.mtimeMs === after.mtimeMs && after.nlink > 0;
}

/** Without clobbering: where two runs adopt one file, the first manifest stands. */
async function writeManifest(files: Files, path: string, manifest: BackupManifest): Promise<Backup> {
  await writeDurably(files, `${path}.json`, serialiseManifest(manifest), {
    writer: manifest.run,
    end: file.OF_MANIFEST,
    what: `manifest of ${manifest.name}`,
    move: (temporary) => file.moveWithoutClobbering(files, temporary, `${path}.json`),
  });
  return toBackup(manifest);
}
