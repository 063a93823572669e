import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { lackOfKubectl, render } from "./support/manifests.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFile(`${ROOT}${path}`, "utf8");

describe("docs/security.md", () => {
  it("has for each who and what a test that is there", async () => {
    const rows = await tableBelow("Who can do what");
    assert.ok(rows.length >= 8);
    for (const { Who: who = "", "Held by": tests = "" } of rows) {
      const paths = tests.split(/,\s*/);
      for (const path of paths)
        assert.ok(path.startsWith("test/") && existsSync(`${ROOT}${path}`), `${who}: ${path}`);
    }
  });

  it("names the verbs of the code, all of them", async () => {
    const shown = (await tableBelow("The verbs")).map(({ Verb: verb = "" }) => verb.replaceAll("`", ""));

    assert.deepEqual(shown.toSorted(), (await verbsOfTheCode()).toSorted());
  });
});

describe("the Role of an operator", async () => {
  it(
    "gives the verbs of docs/security.md, all of them",
    { skip: (await lackOfKubectl()) ?? false },
    async () => {
      const role = (await render("base")).find(({ metadata }) => metadata.name === "dormouse-operator");
      const rules = (role?.["rules"] ?? []) as readonly { verbs: readonly string[] }[];
      const given = rules.flatMap(({ verbs }) => verbs);

      assert.deepEqual([...new Set(given)].toSorted(), (await verbsOfTheCode()).toSorted());
    },
  );
});

async function verbsOfTheCode(): Promise<readonly string[]> {
  const [, union = ""] = /export type Verb =([^;]+);/.exec(await read("shared/http/authorize.ts")) ?? [];
  return Array.from(union.matchAll(/"(\w+)"/g), ([, verb = ""]) => verb);
}

/** The rows of the first table below a heading, by the names of its columns. */
async function tableBelow(heading: string): Promise<readonly Readonly<Record<string, string>>[]> {
  const [, part = ""] = (await read("docs/security.md")).split(`## ${heading}\n`);
  const lines = (part.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("|"));
  const [names = [], , ...rows] = lines.map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
  return rows.map((cells) => Object.fromEntries(names.map((name, at) => [name, cells[at] ?? ""])));
}
