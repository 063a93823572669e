import type { Step } from "../wire.ts";
import { bytesText, durationText, plural } from "./units.ts";

type Detail = Readonly<Record<string, unknown>>;

const number = (value: unknown) => (typeof value === "number" ? value : 0);
const words = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

/** Each step of a run in a person's words; a step that is not known here is shown by its name. */
const SENTENCES: Readonly<Record<string, (detail: Detail) => string>> = {
  locked: () => "nothing else works on the database",
  waiting: (detail) => `waits for ${words(detail["for"])}`,
  inspected: ({ databaseBytes, serverVersion }) =>
    `the database has ${bytesText(number(databaseBytes))}, the server is PostgreSQL ${words(serverVersion)}`,
  dumped: ({ sizeBytes }) => `dumped ${bytesText(number(sizeBytes))}`,
  verified: ({ tables, rows }) => `the archive was read to its end: ${rowsText(tables, rows)}`,
  published: ({ backup }) => `the backup is there: ${words(backup)}`,
  found: ({ backup }) => `there is one that will do: ${words(backup)}`,
  mirrored: ({ copied }) =>
    `the bucket has ${plural(Array.isArray(copied) ? copied.length : 0, "backup")} more`,
  mirror_failed: ({ problem }) => `the bucket could not be brought up to date: ${readMessage(problem)}`,
  retrying: ({ error, hint, waitMs, triesForMs }) =>
    [
      `${words(error)}: tried again${waitMs === undefined ? "" : ` in ${durationText(number(waitMs))}`}`,
      ...(triesForMs === undefined ? [] : [`for at most ${durationText(number(triesForMs))}`]),
      ...(hint === undefined ? [] : [`meanwhile: ${words(hint)}`]),
    ].join(", "),
  planned: ({ warnings }) =>
    `planned, with ${plural(Array.isArray(warnings) ? warnings.length : 0, "warning")}`,
  loaded: ({ bytes }) => `loaded ${bytesText(number(bytes))}`,
  compared: ({ tables, rows, by }) =>
    by === "values"
      ? `compared: all values of ${rowsText(tables, rows)} are as the backup has them`
      : `counted: ${rowsText(tables, rows)}, as many as the backup has`,
  stopped: ({ workload }) => `${words(workload)} has stopped`,
  fenced: ({ sessionsEnded }) =>
    `the live database is closed, ${plural(number(sessionsEnded), "session")} ended`,
  swapped: () => "the restored database is live",
  replaced: () => "the content of the live database is replaced",
  started: ({ workload, ready, why }) =>
    ready === true ? `${words(workload)} is ready` : `${words(workload)} is not ready: ${words(why)}`,
  rehearsed: ({ database }) =>
    database === undefined
      ? "the rehearsal is noted in the manifest"
      : `${words(database)}: its latest backup is proved`,
  rehearsal_failed: ({ database, problem }) =>
    `${words(database)}: its latest backup is not proved: ${readMessage(problem)}`,
  named: ({ database }) => `it stands beside the live database as ${words(database)}`,
  resumed: ({ phase }) => `another process goes on, from ${words(phase)}`,
  rolledback: () => "everything is as it was",
  failed: ({ error }) => `failed: ${words(error)}`,
  wakeup_unavailable: ({ why }) => `nothing would wake the function if its pod died: ${words(why)}`,
};

export function stepText({ step, detail = {} }: Step): string {
  return (
    SENTENCES[step]?.(detail) ??
    `${step}${Object.keys(detail).length === 0 ? "" : ` ${JSON.stringify(detail)}`}`
  );
}

function rowsText(tables: unknown, rows: unknown): string {
  return `${plural(number(rows), "row")} in ${plural(number(tables), "table")}`;
}

function readMessage(problem: unknown): string {
  return typeof problem === "object" && problem !== null && "message" in problem
    ? words(problem.message)
    : "";
}

/** How far a long step is. */
export type Progress = {
  /** `loading hets` */
  readonly what: string;
  readonly bytes: number;
  /** Absent where it is not known. */
  readonly expectedBytes: number | undefined;
  readonly bytesPerSecond: number;
  readonly remainingMs: number | undefined;
};

export function readProgress({ detail = {} }: Step): Progress {
  const { bytes, expectedBytes, bytesPerSecond, remainingSeconds } = detail;
  const [what = "working", whose = ""] =
    Object.entries(detail).find(([, value]) => typeof value === "string") ?? [];
  return {
    what: `${what} ${words(whose)}`,
    bytes: number(bytes),
    expectedBytes: number(expectedBytes) === 0 ? undefined : number(expectedBytes),
    bytesPerSecond: number(bytesPerSecond),
    remainingMs: remainingSeconds === undefined ? undefined : number(remainingSeconds) * 1_000,
  };
}

const BAR = 24;

/** `loading hets [#####   ] 1.2 GiB of about 4.0 GiB, 30.0 MiB/s, 1 min 35 s left` */
export function progressText(step: Step): string {
  const { what, bytes, expectedBytes, bytesPerSecond, remainingMs } = readProgress(step);
  const rate = `${bytesText(bytesPerSecond)}/s`;
  if (expectedBytes === undefined) return `${what} ${bytesText(bytes)}, ${rate}`;
  const filled = Math.round(BAR * Math.min(1, bytes / expectedBytes));
  const bar = `${"#".repeat(filled)}${" ".repeat(BAR - filled)}`;
  const left = remainingMs === undefined ? "" : `, ${durationText(remainingMs)} left`;
  return `${what} [${bar}] ${bytesText(bytes)} of about ${bytesText(expectedBytes)}, ${rate}${left}`;
}
