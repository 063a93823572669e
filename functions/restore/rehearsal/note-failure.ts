import { asDormouseError, type ErrorCode } from "../../../shared/errors.ts";
import type { ChangeMarks } from "../../../shared/catalog/catalog.ts";
import { parseArchiveName, type ArchiveName } from "../../../shared/catalog/archive-name.ts";
import { type OpenRestore, readJournal } from "../restoring.ts";

/** What says something of the backup, and not of the server, the volume or the hour. */
const OF_THE_BACKUP: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "archive_damaged",
  "restore_failed",
  "rows_differ",
  "values_differ",
]);

/** A backup of which a rehearsal failed counts as proved no more. That this could not be noted changes nothing else. */
export async function noteFailure(open: OpenRestore, error: unknown): Promise<void> {
  const { merged, log, run, signal } = open;
  const { code, message } = asDormouseError(error);
  const { source } = readJournal(open);
  if (!OF_THE_BACKUP.has(code) || parseArchiveName(source) === undefined) return;
  const at = new Date().toISOString();
  const change: ChangeMarks = (manifest) => ({
    ...manifest,
    verification: { level: "read", at, failed: { run: run.id, code, message } },
  });
  await merged.mark(source as ArchiveName, change, signal).catch((fault: unknown) => {
    const why = asDormouseError(fault).message;
    log.warn("failed rehearsal not noted", { run: run.id, backup: source, error: why });
  });
}
