import { join } from "node:path";
import type { Leftover } from "../catalog.ts";
import * as file from "./files.ts";
import type { Files } from "./files.ts";
import { runsFolder } from "./open-volume.ts";
import { dayFolders, namesIn } from "./sweep-run.ts";

/** Everything under a temporary name in the folders of the days and of the records, one entry for each run that wrote it. */
export async function listLeftovers(files: Files, backupDir: string): Promise<readonly Leftover[]> {
  const found = new Map<string, Leftover>();
  for (const folder of [...(await dayFolders(files, backupDir)), runsFolder(backupDir)]) {
    for (const name of await namesIn(files, folder)) {
      const run = file.runOfTemporary(name);
      const stats = run === undefined ? undefined : await file.lookAt(files, join(folder, name));
      if (run === undefined || stats === undefined) continue;
      const { sizeBytes, files: count, changedAt } = found.get(run) ?? NONE;
      // ctime: to be renamed is a sign of life as well, and no tool sets it back.
      const newest = Math.max(changedAt.getTime(), stats.ctimeMs);
      found.set(run, {
        run,
        files: count + 1,
        sizeBytes: sizeBytes + stats.size,
        changedAt: new Date(newest),
      });
    }
  }
  return [...found.values()];
}

const NONE = { files: 0, sizeBytes: 0, changedAt: new Date(0) };
