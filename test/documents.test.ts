import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { STATUS } from "../shared/http/problem.ts";
import { describeConfig, type ConfigRow, type ConfigSchema } from "../shared/config/config.ts";
import { RULES } from "../functions/restore/plan/blockers.ts";
import { version } from "../shared/version.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFile(`${ROOT}${path}`, "utf8");

/** The variables of each function by its name, found as the build finds the functions. */
async function configs(): Promise<ReadonlyMap<string, readonly ConfigRow[]>> {
  const found = new Map<string, readonly ConfigRow[]>();
  for await (const path of glob("functions/*/config.ts", { cwd: ROOT })) {
    const name = basename(dirname(path));
    const module = (await import(`${ROOT}${path}`)) as Readonly<Record<string, ConfigSchema>>;
    const config = module[`${name}Config`];
    assert.ok(config !== undefined, `${path} exports no ${name}Config`);
    found.set(name, describeConfig(config));
  }
  return found;
}

describe("the documents", () => {
  it("describe every variable of every function once, as the code has it", async () => {
    const page = (await read("docs/configuration.md")).replace(/ +/g, " ").replace(/\\/g, "");
    const functions = await configs();
    assert.ok(functions.has("backup") && functions.has("cull"));
    for (const [name, rows] of functions) {
      for (const { name: variable, fallback, allowed, description, isSecret } of rows) {
        const file = isSecret ? `, \`${variable}_FILE\`` : "";
        const row = `| \`${variable}\`${file} | ${fallback} | ${allowed} | ${description} |`;
        assert.equal(page.split(row).length, 2, `docs/configuration.md of ${name}: ${row}`);
      }
    }
  });

  it("describe no variable that no function has", async () => {
    const known = new Set([...(await configs()).values()].flat().map(({ name }) => name));
    const [page = ""] = (await read("docs/configuration.md")).split("## What the image sets");
    for (const [, variable = ""] of page.matchAll(/^\| `(\w+)`/gm)) assert.ok(known.has(variable), variable);
  });

  it("show in the README what the seven names of the old pod mean, as the code has it", async () => {
    const readme = (await read("README.md")).replace(/ +/g, " ");
    // As backup has it: cull knows the database, too, and does without.
    const known = new Map((await configs()).get("backup")?.map((row) => [row.name, row]));
    const shown = [...readme.matchAll(/^\| `([A-Z_]+)`(?:, `\w+`)? \| (.+) \| (.+) \|$/gm)].filter(
      ([, variable = ""]) => known.has(variable),
    );
    assert.equal(shown.length, 7);
    for (const [row, variable = "", fallback, description] of shown) {
      const { fallback: default_, description: meaning } = known.get(variable) ?? assert.fail(row);
      assert.deepEqual([fallback, description], [default_, meaning], row);
    }
  });

  it("list every code of a problem with its status", async () => {
    const page = (await read("docs/errors.md")).replace(/ +/g, " ");
    for (const [code, status] of Object.entries(STATUS)) {
      assert.ok(page.includes(`| \`${code}\` | ${status} |`), code);
    }
  });

  it("list every kind of what blocks a restore", async () => {
    const [, page = ""] = (await read("docs/errors.md")).split("## What blocks a restore");
    const listed = new Set([...page.matchAll(/`([a-z-]+)`(?=.*\|)/g)].map(([, kind]) => kind));
    const rules = await Array.fromAsync(glob("functions/restore/**/*.ts", { cwd: ROOT }));
    const kinds = (await Promise.all(rules.map(read))).flatMap((text) => [
      ...text.matchAll(/\bkind: "([a-z]+-[a-z-]+|standby|subscriptions)"/g),
    ]);
    assert.ok(kinds.length >= RULES.length, `${kinds.length}`);
    for (const [, kind = ""] of kinds) assert.ok(listed.has(kind), kind);
  });

  it("name every event that goes out", async () => {
    const page = await read("docs/events.md");
    const declared = await Array.fromAsync(glob("{functions,shared}/**/*.ts", { cwd: ROOT }));
    const types = (await Promise.all(declared.map(read))).flatMap((text) => [
      ...text.matchAll(/"(dev\.dormouse\.[\w.]+)"/g),
    ]);
    assert.ok(types.length > 10);
    for (const [, type] of types) assert.ok(page.includes(`\`${type}\``), type);
  });

  it("link to nothing that is not there", async () => {
    for await (const path of glob(["*.md", "docs/**/*.md"], { cwd: ROOT })) {
      for (const [, target = ""] of (await read(path)).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
        const found = await Array.fromAsync(
          glob(`${dirname(path)}/${target.replace(/\/$/, "")}`, { cwd: ROOT }),
        );
        assert.equal(found.length, 1, `${path} links to ${target}`);
      }
    }
  });

  it("name no command of npm that is not there", async () => {
    const { scripts } = JSON.parse(await read("package.json")) as { scripts: Record<string, string> };
    for await (const path of glob(["*.md", "docs/**/*.md"], { cwd: ROOT })) {
      for (const [, script = ""] of (await read(path)).matchAll(/npm run ([\w:-]+)/g)) {
        assert.ok(script in scripts, `${path}: npm run ${script}`);
      }
    }
  });

  it("bear one version", async () => {
    assert.equal((JSON.parse(await read("package.json")) as { version: string }).version, version);
    assert.match(await read("CHANGELOG.md"), /^## Unreleased/m);
  });
});
