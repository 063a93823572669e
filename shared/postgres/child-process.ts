import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";
import { DormouseError } from "../errors.ts";
import { stderrLines, type StderrLines } from "./stderr-lines.ts";
import { watchdog } from "./watchdog.ts";

export type Command = {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What must not stand in anything that the child says. */
  readonly secrets: readonly string[];
};

export type Limits = {
  /** The whole life of the process. */
  readonly deadlineMs: number;
  /** How long it may write nothing while somebody waits for it. */
  readonly stallMs: number;
};

/** What to make of an exit other than 0; `stderr` is bounded and without secrets. */
export type ExplainExit = (exit: string, stderr: readonly string[]) => DormouseError;

export type RunningTool = {
  readonly pid: number;
  readonly stdin: Writable;
  /** Ends without an error only if the process ended with 0. Leaving it early ends the process. */
  readonly output: AsyncIterable<Uint8Array>;
  readonly stderr: StderrLines;
  /** Ends the process group. The first reason stays the one that `output` throws. */
  stop(reason: Error): void;
};

/** pg_dump first asks the server to cancel, which takes for ever when the server is the trouble. */
const GRACE_MS = 2_000;

/** Starts a client tool in a process group of its own, bounded in time by `limits` and `signal`. */
export function runTool(
  command: Command,
  limits: Limits,
  explain: ExplainExit,
  signal: AbortSignal,
): RunningTool {
  const child = spawnTool(command);
  // Without a listener execa, and Node at the child's end, let flow away what nobody has begun to read yet.
  child.stdout.on("readable", () => undefined);
  const stderr = stderrLines(child.stderr, command.secrets);
  let hasEnded = false;
  let reason: Error | undefined;
  const end = child.finally(() => (hasEnded = true));

  function stop(why: Error): void {
    reason ??= why;
    void killGroup(child.pid, () => hasEnded);
  }

  async function* output(): AsyncGenerator<Uint8Array> {
    const release = bind(command, limits, signal, stop);
    try {
      yield* release.watch(child.stdout);
      const exit = await end;
      if (reason !== undefined) throw reason;
      if (exit.failed) throw explain(exitText(exit), await stderr.complete());
    } finally {
      release.clear();
      stop(new DormouseError("interrupted", `${toolName(command)} was ended before its end`));
    }
  }

  // EPIPE only says that the child is gone, which its exit explains.
  child.stdin.on("error", () => undefined);
  return { pid: child.pid ?? 0, stdin: child.stdin, output: output(), stderr, stop };
}

function spawnTool({ file, arguments: args, environment }: Command) {
  return execa(file, args, {
    env: { ...environment },
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    buffer: false,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    encoding: "buffer",
  });
}

/** Ties the child's life to its deadline, to its progress and to the signal. */
function bind(
  command: Command,
  { deadlineMs, stallMs }: Limits,
  signal: AbortSignal,
  stop: (why: Error) => void,
) {
  const name = toolName(command);
  const deadline = setTimeout(() => {
    const hint = "raise DUMP_TIMEOUT_MINUTES if the database is this large";
    stop(new DormouseError("dump_timed_out", `${name} did not end within ${deadlineMs} ms`, { hint }));
  }, deadlineMs);
  const dog = watchdog(stallMs, () => stop(stalled(name, stallMs)));
  const abort = () => stop(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();

  return {
    /** Time in which the reader of the stream is busy is not the child's. */
    async *watch(stream: Readable): AsyncGenerator<Uint8Array> {
      dog.waiting();
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        dog.busy();
        yield chunk;
        dog.waiting();
      }
    },
    clear(): void {
      clearTimeout(deadline);
      dog.clear();
      signal.removeEventListener("abort", abort);
    },
  };
}

export function stalled(name: string, stallMs: number): DormouseError {
  return new DormouseError("dump_stalled", `${name} made no progress for ${stallMs} ms`, {
    hint: "look for a hung server, a lost connection or a lock; STALL_TIMEOUT_SECONDS is the limit",
  });
}

function toolName({ file }: Command): string {
  return file.slice(file.lastIndexOf("/") + 1);
}

async function killGroup(pid: number | undefined, hasEnded: () => boolean): Promise<void> {
  if (pid === undefined || hasEnded()) return;
  send("SIGTERM", pid);
  for (let waitedMs = 0; waitedMs < GRACE_MS && !hasEnded(); waitedMs += 50)
    await pause(50, undefined, { ref: false });
  if (!hasEnded()) send("SIGKILL", pid);
}

function send(signal: NodeJS.Signals, group: number): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    // ESRCH: the group ended in between, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function exitText(exit: Awaited<ReturnType<typeof spawnTool>>): string {
  if (exit.signal !== undefined) return `killed by ${exit.signal}`;
  if (exit.exitCode !== undefined) return `exit code ${exit.exitCode}`;
  return exit.cause instanceof Error ? exit.cause.message : "not started";
}
