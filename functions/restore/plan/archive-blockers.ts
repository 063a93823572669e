import type { CopyRoom } from "../../../shared/catalog/archives/archive-file.ts";
import type { Blocker } from "./blockers.ts";
import type { Restorable } from "./restorable.ts";
import type { ClientTools } from "../../../shared/postgres/client-tools.ts";

/** The copy of an archive that is encrypted, in the bucket alone, or not trusted where it lies. */
export function copyRoomBlockers(name: string, { neededBytes, availableBytes }: CopyRoom): Blocker[] {
  if (neededBytes <= availableBytes) return [];
  return [
    {
      kind: "restore-dir-full",
      names: [name],
      detail: `RESTORE_DIR needs ${neededBytes} bytes for a copy of ${name}, ${availableBytes} are free`,
      remedy: "mount a larger volume at RESTORE_DIR",
    },
  ];
}

type Tools = Pick<ClientTools, "version" | "unsafeBefore">;

/**
 * A dump can hold what an old psql runs on this machine, or an old pg_restore as other SQL on the server (CVE-2025-8714,
 * CVE-2025-8715). A dump of ours was made by our own tools; the maker of a file without a manifest, or of one that was adopted, is
 * unknown.
 */
export function unsafeTools(backup: Restorable | undefined, tools: Tools | undefined): Blocker[] {
  if (backup === undefined || tools?.unsafeBefore === undefined) return [];
  const { name, manifest } = backup;
  if (manifest !== undefined && manifest.trigger.source !== "legacy") return [];
  return [
    {
      kind: "client-tools-unsafe",
      names: [name],
      detail: `the client tools ${tools.version} may run what a file of unknown origin holds: ${name}`,
      remedy: `install the PostgreSQL client tools ${tools.unsafeBefore} or newer: build the image anew`,
    },
  ];
}

/** The tools are those of the server's release: what a newer pg_restore prints, an older server need not understand. */
export function olderTools(backup: Restorable | undefined, why: string | undefined): Blocker[] {
  if (backup === undefined || why === undefined) return [];
  return [
    {
      kind: "archive-newer",
      names: [backup.name],
      detail: `${backup.name} cannot be read by the tools of the server's release: ${why}`,
      remedy: "restore it into a server of the release that wrote it, or of a newer one",
    },
  ];
}
