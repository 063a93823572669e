import assert from "node:assert/strict";
import { execa } from "execa";
import { cp, glob, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../support/volume.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Each may import those before it; docs/architecture.md explains it. */
const ROOMS = [
  "config",
  "kubernetes",
  "postgres",
  "catalog",
  "retention",
  "run",
  "events",
  "backup",
  "doctor",
  "http",
  "function",
];
const FUNCTIONS = ["backup", "cull", "restore"];
const PURE = ["shared/retention", "functions/cull/retention", "functions/restore/plan"];

/** Where the calls of a volume get their limit. */
const LIMITED = "shared/catalog/volume/volume-calls.ts";

type Forbidden = readonly [folder: string, line: string, said: string];

const againstTheOrder = ROOMS.flatMap((room, index) =>
  ROOMS.slice(index + 1).flatMap((later): Forbidden[] => [
    [`shared/${room}`, `import type { A } from "../${later}/a.ts";`, "no-restricted-imports"],
    [`shared/${room}/part`, `import "../../${later}/a.ts";`, "no-restricted-imports"],
  ]),
);
const intoFunctions = ROOMS.flatMap((room): Forbidden[] => [
  [`shared/${room}`, 'import type { A } from "../../functions/cull/a.ts";', "no-restricted-imports"],
  [`shared/${room}/part`, 'import "../../../functions/cull/a.ts";', "no-restricted-imports"],
]);
const betweenFunctions = FUNCTIONS.flatMap((own) =>
  FUNCTIONS.filter((other) => other !== own).flatMap((other): Forbidden[] => [
    [`functions/${own}`, `import type { A } from "../${other}/a.ts";`, "no-restricted-imports"],
    [`functions/${own}/part`, `import "../../${other}/a.ts";`, "no-restricted-imports"],
  ]),
);
const impure = PURE.flatMap((folder): Forbidden[] => [
  [folder, 'import "node:fs";', "is pure"],
  [folder, 'import "pg";', "is pure"],
  [folder, "export const at = Date.now();", "no-restricted-properties"],
  [folder, "export const x = fetch;", "no-restricted-globals"],
]);
const pastTheLimit = ["shared/catalog", "shared/catalog/part", "shared/run"].flatMap(
  (folder): Forbidden[] => [
    [folder, 'import { constants } from "node:fs";', "volume-calls"],
    [folder, 'import * as promises from "node:fs/promises";', "volume-calls"],
    [folder, 'import "fs";', "volume-calls"],
    [folder, 'export { constants } from "node:fs";', "volume-calls"],
  ],
);
const fromServer = ["../shared/run/run.ts", "../functions/cull/a.ts"].flatMap((path): Forbidden[] => [
  ["cli", `import { a } from "${path}"; export const b = a;`, "nothing of the server's"],
  ["cli/part", `import { a } from "../${path}"; export const b = a;`, "nothing of the server's"],
]);
const FORBIDDEN: readonly Forbidden[] = [
  ...fromServer,
  ["shared", 'import "./run/run.ts";', "no-restricted-imports"],
  ["functions/cull/retention", 'import "../../restore/a.ts";', "is pure"],
  ["functions/restore/plan", 'import "../../cull/a.ts";', "is pure"],
  ["shared/retention", 'import "../run/run.ts";', "is pure"],
  ...againstTheOrder,
  ...intoFunctions,
  ...betweenFunctions,
  ...impure,
  ...pastTheLimit,
  ["shared/http", "export const a = process.env;", "no-process-env"],
  ["shared/catalog", "(async () => undefined)();", "no-floating-promises"],
];

type Finding = {
  readonly filename: string;
  readonly code: string;
  readonly message: string;
  readonly help?: string;
};

describe("the rules of the house", () => {
  let found: readonly Finding[];
  const fileOf = (index: number) => `${FORBIDDEN[index]?.[0]}/forbidden-${index}.ts`;

  before(async () => {
    await using folder = await temporaryFolder();
    for (const name of [".oxlintrc.json", "tsconfig.json", "package.json"])
      await cp(join(ROOT, name), join(folder.path, name));
    await symlink(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
    const write = async (file: string, text: string) => {
      await mkdir(dirname(join(folder.path, file)), { recursive: true });
      await writeFile(join(folder.path, file), text);
    };
    for (const [index, [, line]] of FORBIDDEN.entries()) await write(fileOf(index), `${line}\nexport {};\n`);
    await write("cli/allowed.ts", 'import type { A } from "../shared/run/a.ts";\nexport type B = A;\n');
    await write("shared/run/allowed.ts", 'import type { Stats } from "node:fs";\nexport type A = Stats;\n');
    await write(LIMITED, 'import "node:fs";\nimport "../../errors.ts";\nimport "../../run/a.ts";\n');
    await write("shared/run/circle-a.ts", 'import type { B } from "./circle-b.ts";\nexport type A = B;\n');
    await write("shared/run/circle-b.ts", 'import type { A } from "./circle-a.ts";\nexport type B = A[];\n');
    for (const lines of [250, 251])
      await write(`test/of-${lines}.test.ts`, `${"// A line.\n".repeat(lines - 1)}export {};\n`);
    const { stdout } = await execa(
      "node_modules/.bin/oxlint",
      ["--format=json", "shared", "functions", "cli", "test"],
      { cwd: folder.path, reject: false },
    );
    found = (JSON.parse(stdout) as { readonly diagnostics: Finding[] }).diagnostics;
  });

  for (const [index, [folder, line, said]] of FORBIDDEN.entries())
    it(`refuse ${line} in ${folder}`, () => {
      const ofFile = found.filter(({ filename }) => filename === fileOf(index));

      assert.ok(
        ofFile.some(({ code, message, help }) => `${code} ${message} ${help}`.includes(said)),
        JSON.stringify(ofFile),
      );
    });

  it("let the program have the types of the protocol", () => {
    assert.deepEqual(
      found.filter(({ filename }) => filename === "cli/allowed.ts"),
      [],
    );
  });

  it("leave the calls of the file system to the one file that limits them, and the types of it to all", () => {
    const told = found.filter(({ filename }) => [LIMITED, "shared/run/allowed.ts"].includes(filename));

    assert.deepEqual(
      told.map(({ filename, message }) => [filename, message]),
      [[LIMITED, "'../../run/a.ts' import is restricted from being used by a pattern."]],
    );
  });

  it("refuse a circle that only types close", () => {
    const circles = found.filter(({ code }) => code.includes("no-cycle")).map(({ filename }) => filename);

    assert.deepEqual(circles.toSorted(), ["shared/run/circle-a.ts", "shared/run/circle-b.ts"]);
  });

  it("count every line of a test file", () => {
    const long = found.filter(({ code }) => code.includes("max-lines")).map(({ filename }) => filename);

    assert.deepEqual(long, ["test/of-251.test.ts"]);
  });

  it("leave each module able to load on its own", async () => {
    const modules = await Array.fromAsync(glob("shared/**/*.ts", { cwd: ROOT }));
    assert.notEqual(modules.length, 0);
    for (const module of modules) await import(join(ROOT, module));
  });

  it("leave at most fifteen files in a folder", async () => {
    const files = await Array.fromAsync(glob("{cli,functions,shared}/**/*.ts", { cwd: ROOT }));
    const byFolder = Map.groupBy(files, (file) => dirname(file));
    const full = [...byFolder].filter(([, each]) => each.length > 15).map(([folder]) => folder);

    assert.deepEqual(full, []);
  });
});
