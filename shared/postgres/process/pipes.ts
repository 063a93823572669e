import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { execaSync } from "execa";
import { DormouseError } from "../../errors.ts";

/** Pieces are cut from blocks of this size, so that small reads cost no large buffers. */
const BLOCK_BYTES = 256 << 10;
/** What a pipe holds on Linux. */
const PIPE_BYTES = 64 << 10;

/** A pipe of the kernel of which one end is a child's. */
export type ChildPipe = { readonly ours: number; readonly childs: number };

/**
 * Pipes for a child's input and output. Node gives its children socket pairs; PostgreSQL's tools write 4 KiB at a
 * time, and each such write costs a socket a buffer of its own and a wake-up of the reader.
 */
export function childPipes(): { readonly input: ChildPipe; readonly output: ChildPipe } {
  const folder = mkdtempSync(join(tmpdir(), "dormouse-pipe-"));
  const [input, output] = [join(folder, "input"), join(folder, "output")];
  try {
    execaSync("mkfifo", ["-m", "600", input, output], {
      extendEnv: false,
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    });
    return { input: openPipe(input, "write"), output: openPipe(output, "read") };
  } catch (error) {
    throw new DormouseError("internal", `no pipe for a child process in ${folder}: ${String(error)}`, {
      hint: "TMPDIR must be writable, and mkfifo of coreutils must be there",
      cause: error,
    });
  } finally {
    // Both ends are open: the name is needed no more.
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Opened for both first: opening one end of a pipe waits for the other. */
function openPipe(path: string, we: "read" | "write"): ChildPipe {
  const both = openSync(path, constants.O_RDWR);
  const reading = openSync(path, constants.O_RDONLY);
  const writing = openSync(path, constants.O_WRONLY);
  closeSync(both);
  return we === "read" ? { ours: reading, childs: writing } : { ours: writing, childs: reading };
}

export function pipeWriter({ ours }: ChildPipe): Writable {
  return new Socket({ fd: ours, readable: false, writable: true });
}

/** Resolves when the bytes have left us, to false when the reader has ended. */
export function feed(sink: Writable, bytes: string | Uint8Array): Promise<boolean> {
  return new Promise((resolve) =>
    sink.write(bytes, (error) => resolve(error === null || error === undefined)),
  );
}

export type PipeReader = {
  /** The next piece, in memory of its own, or `undefined` at the end. */
  next(): Promise<Uint8Array | undefined>;
  /** Hands over every piece, each in the same memory, and resolves at the end. */
  drain(take: (piece: Uint8Array) => void): Promise<void>;
  close(): void;
};

type Receive = (piece: Uint8Array | undefined) => "go on" | "wait";

export function pipeReader({ ours }: ChildPipe): PipeReader {
  const memory = blocks();
  const source = listeningSocket(ours, memory);
  return {
    next: () =>
      new Promise<Uint8Array | undefined>((resolve) => {
        source.listen((got) => {
          resolve(got);
          return "wait";
        });
      }),
    drain(take) {
      memory.reuse();
      return new Promise((resolve, reject) => source.listen(handOver(take, resolve, reject)));
    },
    close: source.close,
  };
}

/** Hands each piece to the listener, and keeps what comes while there is none. */
function listeningSocket(fd: number, memory: ReturnType<typeof blocks>) {
  /** A socket reads from its making on: a fast child may have written before the first piece is asked for. */
  const early: Uint8Array[] = [];
  let listener: Receive | undefined;

  function receive(piece: Uint8Array | undefined): "go on" | "wait" {
    if (listener === undefined) {
      if (piece !== undefined) early.push(piece);
      return "wait";
    }
    const answer = listener(piece);
    if (answer === "wait") listener = undefined;
    return answer;
  }

  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer: () => memory.free(),
      callback: (length) => receive(memory.take(length)) === "go on",
    },
  });
  // The end of the pipe and its failure both close it.
  socket.on("error", () => undefined);
  socket.once("close", () => receive(undefined));

  return {
    listen(to: Receive): void {
      listener = to;
      for (let piece = early.shift(); piece !== undefined; piece = early.shift()) {
        if (receive(piece) === "wait") return;
      }
      if (socket.destroyed) receive(undefined);
      else socket.resume();
    },
    close: () => void socket.destroy(),
  };
}

/** What is thrown in a callback of a socket would end the process. */
function handOver(
  take: (piece: Uint8Array) => void,
  end: () => void,
  fail: (error: unknown) => void,
): Receive {
  return (piece) => {
    try {
      if (piece === undefined) end();
      else take(piece);
      return "go on";
    } catch (error) {
      fail(error);
      return "wait";
    }
  };
}

/** Memory for what is read: each piece has its own, unless `reuse` says that none is kept. */
function blocks() {
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let used = 0;
  let isReused = false;
  return {
    reuse: () => {
      isReused = true;
    },
    free(): Buffer {
      if (isReused) used = 0;
      else if (block.length - used < PIPE_BYTES) [block, used] = [Buffer.allocUnsafeSlow(BLOCK_BYTES), 0];
      return block.subarray(used);
    },
    take(length: number): Buffer {
      const piece = block.subarray(used, used + length);
      used += length;
      return piece;
    },
  };
}
