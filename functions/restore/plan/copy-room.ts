import type { CopyRoom } from "../../../shared/catalog/archives/archive-file.ts";
import type { Blocker } from "./blockers.ts";

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
