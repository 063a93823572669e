import assert from "node:assert/strict";
import { execa } from "execa";
import { cp, glob, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../support/volume.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Where a line must not stand, and what lint says about it. */
const FORBIDDEN: readonly (readonly [file: string, line: string, said: string])[] = [
  ["shared/errors.ts", 'import "./log.ts";', "common words import nothing"],
  ["shared/backup/rule.ts", 'import "../postgres/connection.ts";', "shared/backup is pure"],
  ["shared/backup/rule.ts", 'import "node:fs";', "shared/backup is pure"],
  ["shared/backup/rule.ts", "export const at = Date.now();", "no-restricted-properties"],
  ["shared/backup/rule.ts", "export const x = fetch;", "no-restricted-globals"],
  ["shared/operations/verb.ts", 'import "../catalog/files.ts";', "never adapters"],
  ["shared/postgres/adapter.ts", 'import "../operations/take-backup.ts";', "an adapter imports"],
  ["shared/catalog/adapter.ts", 'import "../postgres/connection.ts";', "an adapter imports"],
  ["shared/runtime/part.ts", 'import "../operations/take-backup.ts";', "runtime imports"],
  ["functions/backup/handler.ts", 'import "../../shared/catalog/volume/files.ts";', "a handler knows"],
  ["functions/backup/config.ts", 'import "../../shared/catalog/volume/files.ts";', "a config knows"],
  ["shared/runtime/part.ts", "export const a = process.env;", "no-process-env"],
  ["shared/catalog/part.ts", "(async () => undefined)();", "no-floating-promises"],
];

describe("the rules of the layers", () => {
  for (const [file, line, said] of FORBIDDEN) {
    it(`refuse ${line} in ${file}`, async () => {
      await using folder = await temporaryFolder();
      for (const name of [".oxlintrc.json", "tsconfig.json", "package.json"]) {
        await cp(join(ROOT, name), join(folder.path, name));
      }
      await symlink(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
      await mkdir(dirname(join(folder.path, file)), { recursive: true });
      await writeFile(join(folder.path, file), `${line}\nexport {};\n`);

      const { exitCode, stdout } = await execa("node_modules/.bin/oxlint", [file], {
        cwd: folder.path,
        reject: false,
      });

      assert.notEqual(exitCode, 0);
      assert.ok(stdout.replace(/\s+/g, " ").includes(said), stdout);
    });
  }

  it("leave each module able to load on its own", async () => {
    const modules = await Array.fromAsync(glob("shared/**/*.ts", { cwd: ROOT }));
    assert.notEqual(modules.length, 0);
    for (const module of modules) await import(join(ROOT, module));
  });
});
