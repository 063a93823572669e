import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { blocksIn, blocksOf, pages } from "../support/pages.ts";

/** What is no command. */
const OTHERS = new Set(["json", "sql", "text", "yaml"]);

describe("each block of the pages", () => {
  it("has a language, and commands are sh: only those are tried", async () => {
    for (const page of await pages())
      for (const { where, language } of await blocksOf(page))
        assert.ok(language === "sh" || OTHERS.has(language), `${where}: the language is "${language}"`);
  });

  it("of commands stands where the page says what they need", async () => {
    for (const page of await pages())
      for (const { where, language, needs } of await blocksOf(page))
        assert.ok(language !== "sh" || needs !== undefined, `${where}: with or without a cluster?`);
  });

  const sh = "\n```sh\ntrue\n```\n";
  const rows: readonly (readonly [what: string, page: string, needs: (string | undefined)[]])[] = [
    ["nothing", `# A\n${sh}`, [undefined]],
    ["a heading", `# On Knative\n${sh}`, ["cluster"]],
    ["the end of a heading", `## Install it on Knative\n${sh}`, ["cluster"]],
    ["a paragraph", `# A\n\nWithout a cluster: it.\n${sh}`, ["no cluster"]],
    ["what comes by the way", `# A\n\nIt works without a cluster.\n${sh}`, [undefined]],
    ["a section around", `# A\n\nOn the cluster.\n\n## B\n\n### C\n${sh}`, ["cluster"]],
    ["the section beside", `# A\n\n## B\n\nOn the cluster.\n\n## C\n${sh}`, [undefined]],
    [
      "the nearest",
      `# A\n\nOn the cluster.\n\n## B\n\nWithout a cluster.\n${sh}\n## C\n${sh}`,
      ["no cluster", "cluster"],
    ],
    [
      "the text of another block",
      `# A\n\n\`\`\`text\nWithout a cluster\n\`\`\`\n${sh}`,
      [undefined, undefined],
    ],
  ];
  for (const [what, page, needs] of rows) {
    it(`are derived from ${what}: ${needs.join(", ") || "nothing"}`, () => {
      assert.deepEqual(
        blocksIn("page.md", page).map((block) => block.needs),
        needs,
      );
    });
  }
});
