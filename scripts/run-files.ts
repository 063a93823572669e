// How files of tests are run, on this machine and on a cluster.
import { fileURLToPath } from "node:url";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const FLUSHED_EXIT = fileURLToPath(new URL("../test/support/flushed-exit.ts", import.meta.url));

type How = {
  readonly concurrency: number;
  /** Of one test. */
  readonly timeout: number;
};

/** Reports what was skipped, and why; sets the exit code when something failed. */
export async function runFiles(files: string[], how: How): Promise<string[]> {
  const skipped: string[] = [];
  // A test that failed may have left a connection open; its file ends nevertheless.
  const execArgv = ["--test-force-exit", `--import=${FLUSHED_EXIT}`];
  const events = run({ files, ...how, execArgv })
    .on("test:fail", () => {
      process.exitCode = 1;
    })
    .on("test:pass", ({ name, skip }) => {
      if (skip !== undefined) skipped.push(`${name}: ${skip === true ? "no reason given" : skip}`);
    });
  await pipeline(events, new spec(), process.stdout, { end: false });
  return skipped;
}
