import { join } from "node:path";
import { archiveName, type ArchiveName } from "../archive-name.ts";
import { toBackup, type Backup } from "../backup.ts";
import type { ArchiveDraft } from "../catalog.ts";
import { serialiseManifest, type BackupManifest } from "../manifest.ts";
import { DormouseError } from "../../errors.ts";
import * as file from "../volume/files.ts";
import type { Files } from "../volume/files.ts";

type Staged = {
  readonly files: Files;
  readonly backupDir: string;
  readonly folder: string;
  /** The archive: complete, synced and read back. */
  readonly temporary: string;
  readonly draft: ArchiveDraft;
};

type Describe = (name: ArchiveName) => BackupManifest;
type Named = { readonly manifest: BackupManifest; readonly prepared: string };

/**
 * The archive gets its name, then the manifest. The manifest lies there under a temporary name before: by it `sweep`
 * knows, whichever call was the last, what names the run was taking and what the archive is.
 */
export async function publishArchive(staged: Staged, describe: Describe): Promise<Backup> {
  const { files, backupDir, folder } = staged;
  const { manifest, prepared } = await nameArchive(staged, describe);
  const path = join(backupDir, manifest.name);
  // It was not announced yet: an archive whose completion is in doubt is no backup.
  const takeBack = () =>
    file.clearUp(
      () => file.removeIfThere(files, path),
      () => file.removeIfThere(files, prepared),
      () => file.removeFolderIfEmpty(files, folder),
    );
  try {
    await file.syncFolder(files, folder);
    if (!(await file.moveWithoutClobbering(files, prepared, `${path}.json`))) {
      await takeBack();
      throw nameTaken(manifest.name);
    }
    await file.syncFolder(files, folder);
    return toBackup(manifest);
  } catch (error) {
    if (!(error instanceof DormouseError))
      await file.clearUp(() => file.removeIfThere(files, `${path}.json`), takeBack);
    throw file.volumeError(error, `manifest of ${manifest.name}`);
  }
}

/** The first name of the minute of which neither file is there, of any writer. */
async function nameArchive(staged: Staged, describe: Describe): Promise<Named> {
  const { files, backupDir, draft } = staged;
  for (let ordinal = 1; ; ordinal++) {
    const name = archiveName(draft.database, draft.startedAt, ordinal);
    const path = join(backupDir, name);
    if ((await file.statIfThere(files, `${path}.json`)) ?? (await file.statIfThere(files, path))) continue;
    const named = await takeName(staged, path, describe(name));
    if (named !== undefined) return named;
  }
}

/** Answers nothing when the name was taken since it was looked at. */
async function takeName(
  { files, folder, temporary, draft }: Staged,
  path: string,
  manifest: BackupManifest,
): Promise<Named | undefined> {
  const prepared = join(folder, file.temporaryName(draft.run, file.OF_BACKUP));
  try {
    await file.writeNew(files, prepared, serialiseManifest(manifest));
    // Else a power failure might keep the archive's name and lose this one.
    await file.syncFolder(files, folder);
    if (await file.moveWithoutClobbering(files, temporary, path)) return { manifest, prepared };
    await file.removeIfThere(files, prepared);
    return undefined;
  } catch (error) {
    await file.clearUp(
      () => file.removeIfThere(files, prepared),
      () => file.removeIfThere(files, temporary),
      () => file.removeFolderIfEmpty(files, folder),
    );
    throw file.volumeError(error, `archive ${manifest.name}`);
  }
}

function nameTaken(name: ArchiveName): DormouseError {
  return new DormouseError("volume_unwritable", `${name}.json was made by another process meanwhile`, {
    hint: "let nothing else write to the folders of the days",
  });
}
