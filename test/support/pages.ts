import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A fenced block of a page. */
export type Block = {
  /** `page:line` of its fence. */
  readonly where: string;
  readonly language: string;
  readonly text: string;
  /** What it stands below. */
  readonly heading: string;
  /** What the page says nearest before it, in its section or in one around that. */
  readonly needs: "cluster" | "no cluster" | undefined;
};

/** A heading or a paragraph (also of a list) that begins with what the commands below it need. */
const STATEMENTS = [
  { needs: "no cluster", pattern: /^(?:#+ )?Without a cluster\b/ },
  { needs: "cluster", pattern: /^(?:#+ )?On (?:the cluster|Knative|OpenShift)\b|^#+ .+ on Knative$/ },
] as const;
const FENCE = /^( *)(`{3,}|~{3,})(.*)$/;

type Section = { readonly depth: number; readonly heading: string; readonly needs: Block["needs"] };

/** The pages with instructions. */
export async function pages(): Promise<readonly string[]> {
  const found = await Array.fromAsync(glob(["README.md", "docs/**/*.md"], { cwd: ROOT }));
  return found.toSorted();
}

/** Every fenced block of a page, in its order. */
export async function blocksOf(page: string): Promise<readonly Block[]> {
  return blocksIn(page, await readFile(join(ROOT, page), "utf8"));
}

export function blocksIn(page: string, text: string): readonly Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  let sections: readonly Section[] = [];
  for (let at = 0; at < lines.length; at++) {
    sections = sectionsAt(lines[at] ?? "", sections);
    const fenced = fencedAt(lines, at);
    if (fenced === undefined) continue;
    if (fenced.end < 0) throw new Error(`${page}:${at + 1}: the block has no end`);
    blocks.push({ ...fenced, ...sectionOf(sections), where: `${page}:${at + 1}` });
    at = fenced.end;
  }
  return blocks;
}

function fencedAt(lines: readonly string[], at: number) {
  const [, indent = "", fence = "", language = ""] = FENCE.exec(lines[at] ?? "") ?? [];
  if (fence === "") return undefined;
  const end = lines.indexOf(`${indent}${fence}`, at + 1);
  const inside = lines.slice(at + 1, end).map((each) => each.slice(indent.length));
  return { language, text: inside.join("\n"), end };
}

function sectionOf(sections: readonly Section[]): Pick<Block, "heading" | "needs"> {
  const saying = sections.findLast(({ needs }) => needs !== undefined);
  return { heading: sections.at(-1)?.heading ?? "", needs: saying?.needs };
}

/** A section, with those around it before it. */
function sectionsAt(line: string, sections: readonly Section[]): readonly Section[] {
  const needs = STATEMENTS.find(({ pattern }) => pattern.test(line))?.needs;
  const [marks = "", heading = ""] = /^(#+) (.+)$/.exec(line)?.slice(1) ?? [];
  if (marks !== "")
    return [...sections.filter(({ depth }) => depth < marks.length), { depth: marks.length, heading, needs }];
  const section = sections.at(-1);
  return needs === undefined || section === undefined
    ? sections
    : [...sections.slice(0, -1), { ...section, needs }];
}
