// Runs the tests: those whose path holds an argument, or all that need no cluster, against one PostgreSQL server. All of
// them run the functions as they ship, bundled, which takes a third of the time to start; some run the sources.
import { rmSync } from "node:fs";
import { chmod, glob, mkdtemp, statfs } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { startPostgres } from "../test/support/postgres.ts";
import { runFiles } from "./run-files.ts";

/** Of one test: some start a function a hundred times, and the machine may have more to do than this. */
const TIMEOUT_MS = 1_800_000;
const CONCURRENCY = 4;
/** What Node makes of the sources, for all test files and the next time. */
const COMPILED = "node_modules/.cache/dormouse/compiled";
/** These take the longest: begun last, one of them would run alone. */
const FIRST = /^test\/faults\/(?:process|restore-killed|cull)\./;

async function main(wanted: readonly string[]): Promise<void> {
  const files = await testFiles(wanted);
  if (files.length === 0) throw new Error(`no test file matches ${wanted.join(" ")}`);
  process.env["NODE_COMPILE_CACHE"] ??= COMPILED;
  if (wanted.length === 0) await bundle();
  await workInMemory();
  await using server = await startPostgres({ max_connections: "200" });
  endOnSignals(() => server[Symbol.asyncDispose]());
  const { host, port, user, password, major, binDir } = server;
  process.env["DORMOUSE_TEST_SERVER"] = JSON.stringify({ host, port, user, password, major, binDir });
  console.log(`${files.length} test files against PostgreSQL ${major}`);

  const skipped = await runFiles(files, { concurrency: CONCURRENCY, timeout: TIMEOUT_MS });
  console.log(skipped.length === 0 ? "Nothing was skipped." : `Skipped:\n  ${skipped.join("\n  ")}`);
}

async function testFiles(wanted: readonly string[]): Promise<string[]> {
  const files = await Array.fromAsync(glob("test/**/*.test.ts"));
  return files
    .filter((file) => !file.startsWith("test/cluster/"))
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .toSorted((a, b) => Number(FIRST.test(b)) - Number(FIRST.test(a)) || (a < b ? -1 : 1));
}

const MEMORY = "/dev/shm";
const MEMORY_BYTES = 4 * 2 ** 30;

/**
 * Puts servers and volumes into memory where that has room, for a third of a run would be waiting for the disk. The root
 * folders of the matrix have their own place.
 */
async function workInMemory(): Promise<void> {
  const { TMPDIR, DORMOUSE_TEST_PG_ROOT } = process.env;
  const { bavail, bsize } = await statfs(MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  if ((TMPDIR ?? DORMOUSE_TEST_PG_ROOT) !== undefined || bavail * bsize < MEMORY_BYTES) return;
  const folder = await mkdtemp(join(MEMORY, "dormouse-tests-"));
  // As /tmp is: servers and some functions run as other users.
  await chmod(folder, 0o1777);
  process.env["TMPDIR"] = folder;
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
}

async function bundle(): Promise<void> {
  await execa(process.execPath, ["scripts/build.ts"], { stdio: ["ignore", "ignore", "inherit"] });
  process.env["DORMOUSE_TEST_DIST"] ??= "dist";
}

function endOnSignals(clearUp: () => Promise<void>): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void clearUp().finally(() => process.exit(130));
    });
  }
}

await main(process.argv.slice(2));
