import { asDormouseError, type ErrorCode } from "../../../shared/errors.ts";
import type { ChangeMarks } from "../../../shared/catalog/catalog.ts";
import { parseArchiveName, type ArchiveName } from "../../../shared/catalog/archive-name.ts";
import { isOfServer } from "../../../shared/postgres/load-tool.ts";
import { type OpenRestore, readJournal } from "../restoring.ts";

const OF_THE_BACKUP: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "archive_damaged",
  "restore_failed",
  "rows_differ",
  "values_differ",
]);
/** Of the pod, of the server's memory, or of another session: an administrator's, or one that held a lock. */
const OF_THE_HOUR =
  /killed by SIG|out of (?:shared )?memory|canceling statement due to user request|deadlock detected/;

/** A backup of which a rehearsal failed counts as proved no more. That this could not be noted changes nothing else. */
export async function noteFailure(open: OpenRestore, error: unknown): Promise<void> {
  const { merged, log, run, signal } = open;
  const { code, message } = asDormouseError(error);
  const { source, leaveOut } = readJournal(open);
  // It may have failed at what was left out.
  if (leaveOut !== undefined || !isOfBackup(code, message) || parseArchiveName(source) === undefined) return;
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

/** Not of the server, the volume or the hour: what was proved before stays proved. */
function isOfBackup(code: ErrorCode, message: string): boolean {
  if (code === "restore_failed" && (isOfServer(message) || OF_THE_HOUR.test(message))) return false;
  return OF_THE_BACKUP.has(code);
}
