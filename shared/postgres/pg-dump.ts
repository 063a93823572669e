import type { Omission } from "./lacks.ts";
import type { DatabaseInspection } from "./preflight.ts";
import { pgOptions } from "./properties/session-settings.ts";
import { DormouseError, type ErrorCode } from "../errors.ts";
import {
  INHERITED,
  runTool,
  runWriting,
  type Command,
  type ExplainExit,
  type Limits,
  type WritingTool,
} from "./process/child-process.ts";
import { identifier } from "./sql-text.ts";
import { hasStatistics, type ClientTools } from "./client-tools.ts";
import type { Libpq } from "./session/libpq.ts";
import { knownKind, SERVER_LOG } from "./session/server-errors.ts";

export type DumpOptions = Limits & {
  /** How long pg_dump may wait for the lock of a table. */
  readonly lockWaitMs: number;
  readonly secrets: readonly string[];
};

export type DumpRequest = {
  readonly database: string;
  readonly inspection: DatabaseInspection;
  /** What the dump leaves out on purpose, because ALLOW_INCOMPLETE said so. */
  readonly leaveOut: readonly Omission[];
};

/** One pg_dump process. `archive` ends without an error only if the process ended with 0. */
type RunningDump = {
  readonly archive: AsyncIterable<Uint8Array>;
  /** What pg_dump wrote to stderr, bounded and without secrets: an omitted object is only a warning with exit 0. */
  readonly warnings: () => readonly string[];
};

/** pg_dump compresses with zstd since 16; level 1 is faster and smaller than gzip at any level. */
export function chooseCompression({ major }: ClientTools): string {
  return major >= 16 ? "zstd:1" : "gzip:1";
}

/** What one pg_dump is started with. */
export type Dumping = {
  readonly tools: ClientTools;
  readonly libpq: Libpq;
  readonly options: DumpOptions;
  readonly request: DumpRequest;
};

/** Starts `pg_dump -Fc` into a pipe. Its table of contents has no offsets: a pipe cannot go back to fill them in. */
export function startDump(dumping: Dumping, signal: AbortSignal): RunningDump {
  const running = runTool(dumpCommand(dumping), dumping.options, explainer(dumping), signal);
  running.stdin.end();
  return { archive: running.output, warnings: () => running.stderr.lines() };
}

/**
 * Starts `pg_dump -Fc` into the empty file behind `fd`, whatever its name leads to meanwhile. At its end it goes back and
 * fills in where the data of each table lie. Not by its standard output: from 18 on it only appends to that.
 */
export function startDumpInto(fd: number, dumping: Dumping, signal: AbortSignal): WritingTool {
  const command = dumpCommand(dumping);
  const intoFile = [`--file=${INHERITED}`, "--no-sync", ...command.arguments];
  const given = { ...command, arguments: intoFile, inherits: fd };
  return runWriting(given, dumping.options, { explain: explainer(dumping), signal });
}

function dumpCommand({ tools, libpq, options, request }: Dumping): Command {
  return {
    file: `${tools.binDir}/pg_dump`,
    arguments: dumpArguments(tools, libpq, options, request),
    environment: { ...libpq.environment, PGOPTIONS: pgOptions(request.inspection.dumpSettings) },
    secrets: options.secrets,
  };
}

function explainer({ request }: Dumping): ExplainExit {
  return (exit, stderr) => explainDump(request.database, exit, stderr);
}

function dumpArguments(
  tools: ClientTools,
  libpq: Libpq,
  options: DumpOptions,
  request: DumpRequest,
): string[] {
  return [
    "--format=custom",
    `--compress=${tools.major >= 16 ? chooseCompression(tools) : "1"}`,
    "--no-password",
    // What the role prefers may not have all characters.
    `--encoding=${request.inspection.properties.encoding}`,
    `--lock-wait-timeout=${options.lockWaitMs}`,
    ...statistics(tools, request),
    ...request.leaveOut.flatMap((lack) => leftOut(tools.major, lack)),
    // By their names: what is left out is then what was reported.
    ...request.inspection.excluded.tables.map(
      ({ schema, name }) => `--exclude-table-data=${identifier(schema)}.${identifier(name)}`,
    ),
    `--dbname=${libpq.conninfo(request.database)}`,
  ];
}

/** Statistics hold values of rows, the most common ones: where rows are left out, theirs must not be in the dump, either. */
function statistics({ major }: ClientTools, { leaveOut, inspection }: DumpRequest): string[] {
  const isWhole = inspection.excluded.tables.length === 0 && !leaveOut.some(({ data }) => data);
  return hasStatistics(major) && isWhole ? ["--statistics"] : [];
}

/** On a standby pg_dump leaves out the rows of unlogged tables by itself. */
export function leftOut(major: number, { kind, names }: Omission): string[] {
  if (kind === "large-objects") return [major >= 16 ? "--no-large-objects" : "--no-blobs"];
  const without = (what: string) => names.map((name) => `--exclude-${what}=${name}`);
  if (kind === "row-security") return without("table-data");
  // The sequence of a column is dumped with its table, but for its value.
  if (kind === "unreadable-tables") return [...without("table"), ...without("table-data")];
  return [];
}

function explainDump(database: string, exit: string, stderr: readonly string[]): DormouseError {
  const said = stderr.filter((line) => /error|fatal|detail|failed/i.test(line)).slice(-3);
  const text = (said.length > 0 ? said : stderr.slice(-1)).join("; ").replaceAll("pg_dump: ", "");
  const all = stderr.join("\n");
  const kind = ownFault(all) ?? (OVERTAKEN.test(all) ? CONFLICT : knownKind(all));
  const why = text === "" ? exit : `${exit}: ${text}`;
  return new DormouseError(
    kind?.code ?? "dump_failed",
    `pg_dump failed for ${JSON.stringify(database)}: ${why}`,
    {
      hint: kind?.hint ?? `the message is pg_dump's own; ${SERVER_LOG}`,
    },
  );
}

/** What a table was when pg_dump listed it, it was no longer when pg_dump came to it: `DROP TABLE` of another session. */
const OVERTAKEN =
  /(?:relation|table|index) "[^"]*" does not exist|could not open relation with OID|cache lookup failed|failed sanity check/;
const CONFLICT = {
  code: "dump_conflict",
  hint: "a session dropped or replaced a table meanwhile: if it goes on, let the backup run at another time than that job; if there is none, the catalogs of the database are damaged: restore the last backup beside it (`into`), and look into the server's log",
} as const;

/** What pg_dump says of the file that it writes; what the server says of its own disk has another beginning. */
const OWN_FAULT = /error: could not (?:write|seek|close)[^:]*: (.*)/;

function ownFault(stderr: string): { readonly code: ErrorCode; readonly hint: string } | undefined {
  const [, why] = OWN_FAULT.exec(stderr) ?? [];
  if (why === undefined) return undefined;
  return /No space left|quota exceeded/i.test(why)
    ? { code: "disk_full", hint: "make room on the volume, or lower NUM_BACKUPS and let a cull run" }
    : {
        code: "volume_unwritable",
        hint: "mend the storage behind BACKUP_DIR: kubectl describe pvc names it",
      };
}
