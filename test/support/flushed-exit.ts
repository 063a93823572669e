// Loaded into the process of each test file: it ends when its verdicts have left. With --test-force-exit Node ends it as soon as
// the last test has ended, and loses what has not been written by then, without a word:
// https://github.com/nodejs/node/issues/64833
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

/** A verdict needs no more than one turn to be written. */
const TURNS = 10;

const exit = process.exit.bind(process);

async function written(): Promise<void> {
  // Of a file, which is written at once, Node counts no bytes.
  const stdout: Partial<Socket> = process.stdout;
  for (let still = 0, seen: number | undefined; still < TURNS; await turn()) {
    const { bytesWritten, writableLength = 0 } = stdout;
    still = bytesWritten === seen && writableLength === 0 ? still + 1 : 0;
    seen = bytesWritten;
  }
}

process.exit = ((code?: number | string) => {
  void written().then(() => exit(code));
}) as typeof process.exit;
