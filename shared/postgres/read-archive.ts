import { plainDumpScanner, type PlainDump } from "./plain-dump/plain-dump.ts";
import { DormouseError } from "../errors.ts";
import { runTool, stalled, type Limits, type RunningTool } from "./process/child-process.ts";
import { feed } from "./process/pipes.ts";
import { newestClientTools, type ClientTools } from "./client-tools.ts";
import { watchdog, type Watchdog } from "./process/watchdog.ts";

/** As long as a dump may take by default. */
const PRINT_WITHIN_MS = 12 * 3_600_000;

export type ArchiveContents = Omit<PlainDump, "metaCommands" | "needs" | "makes" | "isComplete">;

type ArchiveReading = {
  /** Unchanged. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** Resolves when pg_restore has ended with 0; rejects with `archive_damaged` otherwise. */
  readonly contents: Promise<ArchiveContents>;
};

/** Reads an archive to its end with pg_restore while it passes by: counts and hashes the rows of each table. */
export function readArchive(
  tools: ClientTools,
  archive: AsyncIterable<Uint8Array>,
  limits: Limits,
  signal: AbortSignal,
): ArchiveReading {
  // It waits for its input as long as the dump takes; `guard` below bounds what is its own time.
  const restore = startReading(tools, [], limits.deadlineMs, signal);
  const guard = watchdog(limits.stallMs, () => restore.stop(stalled("pg_restore", limits.stallMs)));
  const contents = scan(restore).finally(() => guard.clear());
  // The reader of the archive learns of it there, too; without a reader it must not end the process.
  contents.catch(() => undefined);
  return { archive: passThrough(archive, restore, contents, guard), contents };
}

/**
 * Prints, by the newest pg_restore there is, the script that would load an archive. All of it is read, also where
 * pg_restore has read enough. Throws `archive_damaged`, and `client_tools_not_found`.
 */
export async function* printArchive(
  searchPath: string,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const tools = await newestClientTools(searchPath);
  const restore = startReading(tools, [], PRINT_WITHIN_MS, signal);
  const fed = (async () => {
    for await (const chunk of archive) await feed(restore.stdin, chunk);
    restore.stdin.end();
  })();
  fed.catch(restore.stop);
  yield* restore.output;
  await fed;
}

export function startReading(
  { binDir }: Pick<ClientTools, "binDir">,
  options: readonly string[],
  deadlineMs: number,
  signal: AbortSignal,
): RunningTool {
  return runTool(
    {
      file: `${binDir}/pg_restore`,
      arguments: [...options, "--file=-"],
      environment: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
      secrets: [],
    },
    { deadlineMs, stallMs: deadlineMs },
    explainRestore,
    signal,
  );
}

async function* passThrough(
  archive: AsyncIterable<Uint8Array>,
  restore: RunningTool,
  contents: Promise<ArchiveContents>,
  guard: Watchdog,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of archive) {
      // Both may take their time at once: the reader of this stream, and pg_restore.
      guard.waiting();
      const taken = feed(restore.stdin, chunk).finally(() => guard.busy());
      yield chunk;
      // A pg_restore that went away early has either read enough or found damage: its exit code shows which.
      if (!(await taken)) await contents;
    }
    guard.waiting();
  } catch (error) {
    restore.stop(error);
    throw error;
  } finally {
    restore.stdin.end();
  }
}

async function scan(restore: RunningTool): Promise<ArchiveContents> {
  const scanner = plainDumpScanner();
  await restore.drain((piece) => scanner.push(piece));
  const { isComplete, metaCommands: _, needs: __, makes: ___, ...contents } = scanner.end();
  if (!isComplete) throw damaged("pg_restore printed no end of the dump");
  return contents;
}

function explainRestore(exit: string, stderr: readonly string[]): DormouseError {
  const why = [exit, ...stderr.slice(-2)].join(": ").replaceAll("pg_restore: ", "");
  if (!why.includes("unsupported version")) return damaged(why);
  return new DormouseError(
    "client_tools_not_found",
    `pg_restore is older than what wrote the archive: ${why}`,
    {
      hint: "install the client tools of that release or of a newer one",
    },
  );
}

function damaged(why: string): DormouseError {
  return new DormouseError("archive_damaged", `the archive cannot be read to its end: ${why}`, {
    hint: "take another backup; if it happens again, check the volume and the client tools",
  });
}
