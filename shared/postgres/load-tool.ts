import type { Settings } from "./properties/database-properties.ts";
import { ROWS_DIFFER, rowsDiffer } from "./databases/compare-rows.ts";
import { pgOptions } from "./properties/session-settings.ts";
import { DormouseError, type ErrorCode } from "../errors.ts";
import { runTool, type Command, type Limits, type RunningTool } from "./process/child-process.ts";
import type { ClientTools } from "./client-tools.ts";
import { PROGRAM } from "./session/connection.ts";
import type { Libpq } from "./session/libpq.ts";
import { knownKind, SERVER_LOG } from "./session/server-errors.ts";
import { identifier } from "./sql-text.ts";

export type LoadOptions = Limits & {
  /** Connections of pg_restore, where the operator has set a number. */
  readonly jobs: number | undefined;
  readonly secrets: readonly string[];
};

/** What every way to load needs. */
export type Loader = { readonly tools: ClientTools; readonly libpq: Libpq; readonly options: LoadOptions };

/**
 * For sessions that fill a database not yet in use: what is not waited for here is on disk when the swap is, whose
 * commit comes later in the same log. Indexes are built faster in more memory.
 */
export const BESIDE = { synchronous_commit: "off", maintenance_work_mem: "256MB" };

/** Starts pg_restore or psql; its time is bounded as a whole, since building an index says nothing for long. */
export function startLoad(
  { tools, libpq, options }: Loader,
  tool: "pg_restore" | "psql" | "pg_dump",
  given: Pick<Command, "arguments" | "inherits"> & { readonly database: string; readonly settings: Settings },
  signal: AbortSignal,
): RunningTool {
  const { application_name: name = PROGRAM, ...settings } = given.settings;
  const limits: Limits = { deadlineMs: options.deadlineMs, stallMs: options.deadlineMs };
  return runTool(
    {
      file: `${tools.binDir}/${tool}`,
      arguments: given.arguments,
      inherits: given.inherits,
      environment: { ...libpq.environment, PGAPPNAME: name, PGOPTIONS: pgOptions(settings) },
      secrets: options.secrets,
    },
    limits,
    (exit, stderr) => explainLoad(tool, given.database, exit, stderr),
    signal,
  );
}

/** What has kept a session from being there at all, or has ended it. */
const NO_SESSION: ReadonlySet<ErrorCode> = new Set([
  "connection_lost",
  "connection_refused",
  "connections_exhausted",
  "pooler_refused",
  "server_is_standby",
  "server_starting",
]);

/** psql has no such word for a command that it may not run. */
const FIRST_ERROR = /error:|fatal:|backslash commands are restricted/i;

/** What pg_restore prints with --verbose; names of objects there may read like errors. */
const PROGRESS = /^pg_restore: (?!error: |fatal: |warning: |hint: |detail: |from TOC entry )/;

/** The first error is the cause. Lines that quote rows (DETAIL, CONTEXT, the command) stay out: they hold people's data. */
export function explainLoad(
  tool: string,
  database: string,
  exit: string,
  printed: readonly string[],
): DormouseError {
  const stderr = printed.filter((line) => !PROGRESS.test(line));
  const error = stderr.find((line) => FIRST_ERROR.test(line)) ?? exit;
  const why = error.replace(/^.*?(?:error|fatal):\s+(?:could not execute query: )?/i, "").slice(0, 500);
  if (why.startsWith(ROWS_DIFFER)) return rowsDiffer(why);
  const command = findCommand(stderr, error);
  const kind = knownKind(stderr.join("\n"));
  const isLost = kind !== undefined && NO_SESSION.has(kind.code);
  return new DormouseError(
    isLost ? kind.code : "restore_failed",
    `${tool} failed for ${JSON.stringify(database)}${command}${entryOf(stderr, error)}: ${exit}: ${why}`,
    { hint: isLost ? kind.hint : hintFor(why, stderr.join("\n")) },
  );
}

/** `from TOC entry 3316; 2606 16405 FK CONSTRAINT child child_fk app`, which `leaveOut` takes; it names, and quotes no row. */
const TOC_ENTRY = /from TOC entry (\d+; \d+ \d+ .{1,300})/;

function entryOf(stderr: readonly string[], error: string): string {
  const before = stderr.slice(0, Math.max(0, stderr.indexOf(error)));
  const entry = before.map((line) => TOC_ENTRY.exec(line)?.[1]).findLast((each) => each !== undefined);
  return entry === undefined ? "" : ` (TOC entry ${JSON.stringify(entry)})`;
}

/** What pg_restore was at, up to where people's data could begin; of a COPY the error itself names the table. */
const COMMAND = /^Command was: ((?:CREATE|ALTER|REFRESH|COMMENT|GRANT|REVOKE)[^('$]*)/;

function findCommand(stderr: readonly string[], error: string): string {
  const command = stderr.slice(stderr.indexOf(error) + 1).map((line) => COMMAND.exec(line)?.[1]);
  const first = command.find((each) => each !== undefined);
  return first === undefined ? "" : ` at ${first.trim().slice(0, 150)}`;
}

const NO_ROOM = /No space left on device|disk full|Disk quota exceeded|could not extend file/i;
/** Rights, roles and extensions of the server: nothing of the backup, and the same in whatever order it is loaded. */
const OF_THE_SERVER =
  /permission denied|must be (?:owner|superuser|member|able to SET ROLE)|role ".*" does not exist|extension (?:"|control file)|\d EXTENSION |temp_file_limit/i;

/** Whether a load failed at the server, and would with any backup that needs as much of it. */
export function isOfServer(message: string): boolean {
  return OF_THE_SERVER.test(message) || NO_ROOM.test(message);
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/backslash commands are restricted/, "the file holds commands for psql: read it before you trust it"],
  [
    NO_ROOM,
    "make room on the server's disk, then restore again: databases named <database>__before_<run> are kept for an undo, for UNDO_HOURS",
  ],
  [
    /unrecognized configuration parameter/,
    "a newer pg_dump may have written the file: restore it into a server of that release, or by hand without that line",
  ],
];

function hintFor(why: string, all: string): string {
  const known = HINTS.find(([pattern]) => pattern.test(why))?.[1];
  if (known !== undefined) return known;
  const [, role] = /role "(.*)" does not exist/.exec(why) ?? [];
  if (role !== undefined) return `CREATE ROLE ${identifier(role)} NOLOGIN, then restore again`;
  if (/permission denied|must be (?:owner|superuser|member)|must be able to SET ROLE/i.test(why))
    return 'the plan ({"filename":...,"dryRun":true}) names each right that is missing with its SQL; docs/roles.md has those of a restore';
  const [, extension] = /extension "([^"]+)"/.exec(why) ?? [];
  if (extension !== undefined)
    return `install the packages of the extension "${extension}" where the server runs; SELECT name FROM pg_available_extensions lists what it has`;
  if (/violates check constraint|PL\/pgSQL function|SQL function|has not been populated/.test(all))
    return 'a function that reads other tables may need them first: restore by hand in another order, or leave the entry out by "leaveOut": docs/restore-by-hand.md';
  if (/from TOC entry/.test(all))
    return `the message is the server's own; ${SERVER_LOG}; an entry that cannot be restored can be left out by "leaveOut", see docs/restore-by-hand.md`;
  return `the message is the server's own; ${SERVER_LOG}; docs/restore-by-hand.md leaves out one object`;
}
