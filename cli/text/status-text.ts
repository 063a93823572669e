import type { DatabaseStatus } from "../commands/status-of.ts";
import type { RecoveryTime } from "../commands/recovery-time.ts";
import type { Session } from "../session.ts";
import type { Backup, Run } from "../wire.ts";
import { agoText, bytesText, durationText, plural, timeText } from "./units.ts";

/** One database: whether a person has to do something, then what is known. */
export function showDatabase(
  { output, commandLine }: Session,
  status: DatabaseStatus,
  { now, isOnly }: { readonly now: number; readonly isOnly: boolean },
): void {
  const { database, newest, todo, undo } = status;
  const rehearse = isOnly ? "rehearse" : `rehearse ${newest?.name ?? "latest"}`;
  const line = (name: string, text: string) => output.line(`  ${name.padEnd(18)} ${text}`);
  if (todo.length === 0)
    output.line(output.style("green", `${database}: all is well, there is nothing to do.`));
  else output.line(output.style("red", `${database}: a person has to do something.`));
  for (const { text, advice } of todo) line("to do", advice === undefined ? text : `${text}; ${advice}`);
  if (newest !== undefined) line("last good backup", backupText(newest, status.before, now));
  line(
    "lost if it died",
    status.lostMs === undefined ? "everything" : `the last ${durationText(status.lostMs)}`,
  );
  line("back again in", recoveryText(status.recovery, commandLine(rehearse)));
  showRuns(status, now, line);
  for (const { run, until } of undo)
    line(
      "can be undone",
      `${run}, for another ${durationText(Date.parse(until) - now)}: ${commandLine(`undo ${run}`)}`,
    );
}

function showRuns(status: DatabaseStatus, now: number, line: (name: string, text: string) => void): void {
  const { notInBucket, nextPing, lastBackupRun, lastRehearsal } = status;
  if (notInBucket !== undefined)
    line(
      "bucket",
      notInBucket === 0 ? "has the newest backup" : `lacks the newest ${plural(notInBucket, "backup")}`,
    );
  if (nextPing !== undefined) line("next backup", `${timeText(nextPing)}, by a ping`);
  if (lastBackupRun !== undefined) line("last backup run", runText(lastBackupRun, now));
  line("last rehearsal", lastRehearsal === undefined ? "none is known" : runText(lastRehearsal, now));
}

function backupText(
  { name, startedAt, sizeBytes, manifest }: Backup,
  before: Backup | undefined,
  now: number,
): string {
  const beside = before === undefined ? "" : ` (the one before: ${bytesText(before.sizeBytes)})`;
  return `${name}, ${agoText(startedAt, now)}, proof: ${manifest.verification.level}, ${bytesText(sizeBytes)}${beside}`;
}

function recoveryText(recovery: RecoveryTime | undefined, rehearse: string): string {
  if (recovery === undefined) return `not measured yet: ${rehearse}`;
  const { estimateMs, measuredMs, at, isRehearsal, measuredBytes, bytes } = recovery;
  const what = isRehearsal ? "rehearsal" : "restore";
  const scaled =
    measuredBytes === bytes ? "" : `, scaled from ${bytesText(measuredBytes)} to ${bytesText(bytes)}`;
  const besides = isRehearsal ? "; stopping and starting the application comes on top" : "";
  return `about ${durationText(estimateMs)}: the ${what} of ${timeText(at)} took ${durationText(measuredMs)}${scaled}${besides}`;
}

function runText({ id, state, acceptedAt }: Run, now: number): string {
  return `${state} ${agoText(acceptedAt, now)} (${id})`;
}
