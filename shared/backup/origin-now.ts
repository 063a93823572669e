import type { Backup } from "../catalog/backup.ts";
import { ownOrigin, type Origin } from "../catalog/origin.ts";
import type { BackupDependencies } from "./taking-backup.ts";

/** One's own origin, by what the server says now and by what lies on the volume. */
export async function originNow(
  { systemIdentifier, installation }: Pick<BackupDependencies, "systemIdentifier" | "installation">,
  onVolume: readonly Backup[],
  signal: AbortSignal,
): Promise<Origin> {
  const system = await systemIdentifier(signal);
  return ownOrigin({ ...installation, ...(system === undefined ? {} : { system }) }, onVolume);
}
