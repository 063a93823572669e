import type { ArchiveName } from "./archive-name.ts";
import type { BackupManifest } from "./manifest.ts";

/** One completed, restorable backup: it exists only if its manifest does. */
export type Backup = {
  readonly name: ArchiveName;
  readonly database: string;
  readonly sequence: number;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly sizeBytes: number;
  readonly manifest: BackupManifest;
};

export function toBackup(manifest: BackupManifest): Backup {
  return {
    name: manifest.name,
    database: manifest.database,
    sequence: manifest.sequence,
    startedAt: new Date(manifest.startedAt),
    finishedAt: new Date(manifest.finishedAt),
    sizeBytes: manifest.archive.sizeBytes,
    manifest,
  };
}

/** Newest first: by sequence, then by the end in UTC, then by name. Never by mtime, which copying changes. */
export function newestFirst(a: Backup, b: Backup): number {
  return (
    b.sequence - a.sequence ||
    b.finishedAt.getTime() - a.finishedAt.getTime() ||
    (a.name < b.name ? 1 : a.name > b.name ? -1 : 0)
  );
}

/** A caller had rows left out of it that other backups have: it takes the place of none of them. */
export function isPartial({ manifest }: Backup): boolean {
  return manifest.excluded?.by === "request";
}

/** A file of the old pod, to which a cull gave its manifest: Dormouse did not write it. */
export function isAdopted({ manifest }: Backup): boolean {
  return manifest.archive.format !== "custom" || manifest.run.startsWith("cull-");
}
