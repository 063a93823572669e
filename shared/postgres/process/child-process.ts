import { closeSync } from "node:fs";
import type { Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";
import { DormouseError, readCode } from "../../errors.ts";
import { childPipes, pipeReader, pipeWriter, type PipeReader } from "./pipes.ts";
import { stderrLines, type StderrLines } from "./stderr-lines.ts";
import { watchdog, type Watchdog } from "./watchdog.ts";

export type Command = {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** A descriptor of ours that the child has as well: its `INHERITED`. */
  readonly inherits?: number | undefined;
  /** What must not stand in anything that the child says. */
  readonly secrets: readonly string[];
};

/** By this name a child opens anew the file behind the descriptor that it inherits; so does each of its own children. */
export const INHERITED = "/dev/fd/3";

export type Limits = {
  /** The whole life of the process. */
  readonly deadlineMs: number;
  /** How long it may write nothing while a reader waits for it. */
  readonly stallMs: number;
};

/** What to make of an exit other than 0; `stderr` is bounded and without secrets. */
export type ExplainExit = (exit: string, stderr: readonly string[]) => DormouseError;

export type RunningTool = {
  readonly pid: number;
  readonly stdin: Writable;
  /** Ends without an error only if the process ended with 0. Leaving it early ends the process. */
  readonly output: AsyncIterable<Uint8Array>;
  /** The same for a reader that keeps nothing: each piece is good only while `take` looks at it. */
  drain(take: (piece: Uint8Array) => void): Promise<void>;
  readonly stderr: StderrLines;
  /** Ends the process group. The first reason stays the one that `output` throws. */
  readonly stop: (reason: unknown) => void;
};

/** A child that writes into a file of ours. */
export type WritingTool = {
  /** Resolves when it has ended with 0. */
  readonly ended: Promise<void>;
  /** Reports that more has come of it: otherwise it counts as stalled. */
  moved(): void;
  readonly stderr: StderrLines;
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
  const { pid, stdin, stdout, stderr, stop, succeeded } = startChild(command, explain, signal);

  /** While its output is read the child is bounded in time; afterwards it is gone. */
  function bound() {
    const bonds = bind(command, limits, stop);
    const dispose = () => {
      bonds.clear();
      stop(new DormouseError("interrupted", `${toolName(command)} was ended before its end`));
      stdout.close();
    };
    return { dog: bonds.dog, [Symbol.dispose]: dispose };
  }

  async function* output(): AsyncGenerator<Uint8Array> {
    using bonds = bound();
    yield* watched(stdout, bonds.dog);
    await succeeded();
  }

  async function drain(take: (piece: Uint8Array) => void): Promise<void> {
    using bonds = bound();
    await stdout.drain(watching(bonds.dog, take));
    await succeeded();
  }
  return { pid, stdin, output: output(), drain, stderr, stop };
}

/** Starts a client tool that reads nothing, prints nothing, and writes the file that it inherits. */
export function runWriting(
  command: Command,
  limits: Limits,
  { explain, signal }: { readonly explain: ExplainExit; readonly signal: AbortSignal },
): WritingTool {
  const child = spawnWith(command, ["ignore", "ignore", "pipe", ...inherited(command)]);
  const { stderr, stop, succeeded } = tie(child, command, { explain, signal, letGo: () => undefined });
  const bonds = bind(command, limits, stop);
  bonds.dog.waiting();
  const ended = succeeded().finally(() => bonds.clear());
  // The reader of the file gets it there, too.
  ended.catch(() => undefined);
  return { ended, moved: () => bonds.dog.waiting(), stderr };
}

function startChild(command: Command, explain: ExplainExit, signal: AbortSignal) {
  const { child, stdin, stdout } = spawnTool(command);
  const letGo = () => {
    stdout.close();
    stdin.destroy();
  };
  const { end, ...tied } = tie(child, command, { explain, signal, letGo });
  // It is not read any more, and an open pipe would keep our own process from ending.
  void end.finally(() => stdin.destroy());
  return { pid: child.pid ?? 0, stdin, stdout, ...tied };
}

type Child = ReturnType<typeof spawnWith>;

type Tie = {
  readonly explain: ExplainExit;
  readonly signal: AbortSignal;
  /** Ends what connects it with us. */
  readonly letGo: () => void;
};

/** From its start on the child ends with `signal`, whether or not its output is read. */
function tie(child: Child, command: Command, { explain, signal, letGo }: Tie) {
  const stderr = stderrLines(child.stderr, command.secrets);
  const given = Promise.withResolvers<undefined>();
  let hasEnded = false;
  let reason: Error | undefined;
  const end = child.finally(() => (hasEnded = true));

  function stop(why: unknown): void {
    reason ??= why instanceof Error ? why : new Error(String(why));
    void killGroup(child.pid, () => hasEnded).then(() => given.resolve(undefined));
  }

  function abort(): void {
    stop(signal.reason);
    letGo();
  }
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  void end.finally(() => signal.removeEventListener("abort", abort));

  async function succeeded(): Promise<void> {
    const exit = await Promise.race([end, given.promise]);
    if (reason !== undefined) throw reason;
    if (exit?.failed === true) throw explain(exitText(exit), await stderr.complete());
  }
  return { end, stderr, stop, succeeded };
}

function watching(dog: Watchdog, take: (piece: Uint8Array) => void): (piece: Uint8Array) => void {
  dog.waiting();
  return (piece) => {
    dog.waiting();
    take(piece);
  };
}

/** Time in which the reader of the output is busy is not the child's. */
async function* watched(stdout: PipeReader, dog: Watchdog): AsyncGenerator<Uint8Array> {
  for (;;) {
    dog.waiting();
    const piece = await stdout.next();
    dog.busy();
    if (piece === undefined) return;
    yield piece;
  }
}

/** Any descriptor will do; the types know the first ten. */
type Stdio = readonly ["ignore" | 3, "ignore" | 4, "pipe", ...(readonly [] | readonly [5])];

function spawnWith({ file, arguments: args, environment }: Command, stdio: Stdio) {
  return execa(file, args, {
    env: { ...environment },
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    buffer: false,
    stdio,
    encoding: "buffer",
  });
}

function inherited({ inherits }: Command): readonly [] | readonly [5] {
  return inherits === undefined ? [] : [inherits as 5];
}

function spawnTool(command: Command) {
  const { input, output } = childPipes();
  const child = spawnWith(command, [input.childs as 3, output.childs as 4, "pipe", ...inherited(command)]);
  // The child has its ends now, and the pipes end with it.
  closeSync(input.childs);
  closeSync(output.childs);
  const stdin = pipeWriter(input);
  // EPIPE only says that the child is gone, which its exit explains.
  stdin.on("error", () => undefined);
  return { child, stdin, stdout: pipeReader(output) };
}

type Bonds = { readonly dog: Watchdog; clear(): void };

/** Ties the child's life to its deadline and to its progress. */
function bind(command: Command, { deadlineMs, stallMs }: Limits, stop: (why: unknown) => void): Bonds {
  const name = toolName(command);
  const deadline = setTimeout(() => {
    const hint = "raise DUMP_TIMEOUT_MINUTES if the database is this large";
    stop(new DormouseError("dump_timed_out", `${name} did not end within ${deadlineMs} ms`, { hint }));
  }, deadlineMs);
  const dog = watchdog(stallMs, () => stop(stalled(name, stallMs)));
  return {
    dog,
    clear(): void {
      clearTimeout(deadline);
      dog.clear();
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
  if (hasEnded()) return;
  send("SIGKILL", pid);
  // Not even that ends a process that waits for a volume: it is waited for no longer.
  await pause(GRACE_MS, undefined, { ref: false });
}

function send(signal: NodeJS.Signals, group: number): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    // ESRCH: the group ended in between, which is what was wanted.
    if (readCode(error) !== "ESRCH") throw error;
  }
}

function exitText(exit: Awaited<Child>): string {
  if (exit.signal !== undefined) return `killed by ${exit.signal}`;
  if (exit.exitCode !== undefined) return `exit code ${exit.exitCode}`;
  return exit.cause instanceof Error ? exit.cause.message : "not started";
}
