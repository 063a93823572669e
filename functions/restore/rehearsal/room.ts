import type { Blocker } from "../plan/blockers.ts";
import type { Restorable } from "../plan/restorable.ts";
import type { Planning } from "../restoring.ts";

/** Indexes and the log of what is loaded want room as well. */
const FULL = 0.9;

/**
 * No server says how large its disk is: the operator does. What is there, and once more what the backup held, must leave
 * a tenth of it.
 */
export async function rehearsalRoom(
  { server, settings, signal }: Planning,
  backup: Restorable,
): Promise<Blocker[]> {
  const { serverDiskBytes } = settings;
  const needed = backup.manifest?.content.databaseBytes;
  if (serverDiskBytes === undefined || needed === undefined) return [];
  const used = await server.usedBytes(signal);
  if (used + needed <= serverDiskBytes * FULL) return [];
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return [
    {
      kind: "rehearsal-room",
      names: [gib(needed)],
      detail: `the server's databases have ${gib(used)} and a rehearsal needs ${gib(needed)}: more than nine tenths of ${gib(serverDiskBytes)}`,
      remedy: "enlarge the server's disk and SERVER_DISK_GIB, or rehearse on another server",
    },
  ];
}
