import type { Omission } from "./lacks.ts";
import type { DatabaseInspection } from "./preflight.ts";
import { pgOptions } from "./properties/session-settings.ts";
import { DormouseError } from "../errors.ts";
import { runTool, type Limits } from "./process/child-process.ts";
import type { ClientTools } from "./client-tools.ts";
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
export type RunningDump = {
  readonly archive: AsyncIterable<Uint8Array>;
  /** What pg_dump wrote to stderr, bounded and without secrets: an omitted object is only a warning with exit 0. */
  readonly warnings: () => readonly string[];
};

/** pg_dump compresses with zstd since 16; level 1 is faster and smaller than gzip at any level. */
export function chooseCompression({ major }: ClientTools): string {
  return major >= 16 ? "zstd:1" : "gzip:1";
}

/** Starts `pg_dump -Fc` to its standard output. */
export function startDump(
  tools: ClientTools,
  libpq: Libpq,
  options: DumpOptions,
  { request, signal }: { readonly request: DumpRequest; readonly signal: AbortSignal },
): RunningDump {
  const { settings: own, toolSettings } = request.inspection;
  const settings = { ...own, ...toolSettings };
  const running = runTool(
    {
      file: `${tools.binDir}/pg_dump`,
      arguments: dumpArguments(tools, libpq, options, request),
      environment: { ...libpq.environment, PGOPTIONS: pgOptions(settings) },
      secrets: options.secrets,
    },
    options,
    (exit, stderr) => explainDump(request.database, exit, stderr),
    signal,
  );
  running.stdin.end();
  return { archive: running.output, warnings: () => running.stderr.lines() };
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
    ...request.leaveOut.flatMap((lack) => leftOut(tools.major, lack)),
    `--dbname=${libpq.conninfo(request.database)}`,
  ];
}

/** On a standby pg_dump leaves out the rows of unlogged tables by itself. */
function leftOut(major: number, { kind, names }: Omission): string[] {
  if (kind === "large-objects") return [major >= 16 ? "--no-large-objects" : "--no-blobs"];
  if (kind === "row-security") return names.map((name) => `--exclude-table-data=${name}`);
  if (kind === "unreadable-tables") return names.map((name) => `--exclude-table=${name}`);
  return [];
}

function explainDump(database: string, exit: string, stderr: readonly string[]): DormouseError {
  const said = stderr.filter((line) => /error|fatal|detail|failed/i.test(line)).slice(-3);
  const text = (said.length > 0 ? said : stderr.slice(-1)).join("; ").replaceAll("pg_dump: ", "");
  const kind = knownKind(stderr.join("\n"));
  const why = text === "" ? exit : `${exit}: ${text}`;
  return new DormouseError(
    kind?.code ?? "dump_failed",
    `pg_dump failed for ${JSON.stringify(database)}: ${why}`,
    {
      hint: kind?.hint ?? `the message is pg_dump's own; ${SERVER_LOG}`,
    },
  );
}
