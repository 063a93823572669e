import type { Manifest, Swept } from "../wire.ts";
import { bytesText, durationText, plural } from "./units.ts";

/** What became of one of several databases. */
export function sweptText({ database, manifest, backup, problem }: Swept): string {
  if (problem !== undefined) return `${database}: no backup: ${problem.message} (${problem.code})`;
  return manifest === undefined ? `${database}: ${backup}` : takenText(manifest);
}

export function takenText({ name, archive, content, elapsedMs }: Manifest): string {
  const rows = `${plural(content.rows, "row")} in ${plural(content.tables.length, "table")}`;
  return `${name}: ${bytesText(archive.sizeBytes)}, ${rows}, proved by reading it to its end, in ${durationText(elapsedMs)}`;
}

export function sweptCountText(databases: readonly Swept[]): string {
  const failed = databases.filter(({ problem }) => problem !== undefined).length;
  return failed === 0
    ? `${plural(databases.length, "database")}: each is backed up`
    : `${failed} of ${plural(databases.length, "database")} could not be backed up`;
}
