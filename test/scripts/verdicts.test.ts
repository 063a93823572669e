import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { execa } from "execa";
import { temporaryFolder } from "../support/volume.ts";

const FILES = 12;
const TESTS = 100;

describe("the verdicts of tests", () => {
  it("are all counted, of many quick files at once, and a failing one is the run's", async () => {
    await using folder = await temporaryFolder();
    const test = (file: number) => (_: unknown, number: number) =>
      `test("test ${number} of file ${file}, with a name that is as long as they are here", () => {});`;
    await mkdir(join(folder.path, "tests"));
    const files = Array.from({ length: FILES }, (_, file) => join(folder.path, "tests", `${file}.test.mjs`));
    for (const [file, path] of files.entries())
      await writeFile(
        path,
        [
          'import { test } from "node:test";',
          ...Array.from({ length: TESTS }, test(file)),
          ...(file === 0 ? ['test("fails", () => { throw new Error("as it must"); });'] : []),
        ].join("\n"),
      );
    const program = `import { runFiles } from ${JSON.stringify(new URL("../../scripts/run-files.ts", import.meta.url).href)};
      await runFiles(${JSON.stringify(files)}, { concurrency: 4, timeout: 600_000 });`;
    const main = join(folder.path, "main.mjs");
    await writeFile(main, program);

    const { stdout, exitCode } = await execa(process.execPath, [main], {
      env: { NODE_TEST_CONTEXT: undefined },
      reject: false,
    });

    const count = (what: string) => Number(new RegExp(`^ℹ ${what} (\\d+)$`, "m").exec(stdout)?.[1]);
    assert.deepEqual([count("pass"), count("fail"), exitCode], [FILES * TESTS, 1, 1], stdout.slice(-2_000));
  });
});
