// The figures of each part's last run: in results.json, as a picture, and in the README.
import { readFile, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { plotOf, tableOf, type Measure } from "./measure.ts";
import { toolsTable, type Compared } from "./tool-measures.ts";

export type Measured = {
  readonly measures: readonly Measure[];
  readonly compared?: readonly Compared[];
  readonly times?: unknown;
  /** What could not be measured here, and why. */
  readonly notes?: readonly string[];
};
type Part = Measured & { readonly part: string; readonly date: string; readonly machine: string };

/** Keeps what parts that did not run have had, in the order of `names`. */
export async function keepResults(names: readonly string[], ran: readonly Part[]): Promise<void> {
  const { parts: before } = JSON.parse(await readFile(RESULTS, "utf8")) as {
    readonly parts: readonly Part[];
  };
  const parts = names.flatMap((name) => [...ran, ...before].find(({ part }) => part === name) ?? []);
  await writeFile(RESULTS, `${JSON.stringify({ parts }, null, 2)}\n`);
  await writeFile("bench/results.svg", plotOf(parts.flatMap(({ measures }) => measures)));
  await showInReadme(parts);
}

const RESULTS = "bench/results.json";
/** What the rows of a part are about, as a reader of the README calls it. */
const TITLES: Readonly<Record<string, string>> = {
  tools: "dumps and loads",
  memory: "memory of a backup",
  cull: "listing",
  overload: "many requests at once",
  outage: "swap",
  huge: "database of 10 GB",
};

/** Between two comments. */
async function showInReadme(parts: readonly Part[]): Promise<void> {
  const readme = await readFile("README.md", "utf8");
  const [before = "", rest = ""] = readme.split("<!-- bench -->");
  const after = rest.slice(rest.indexOf("<!-- /bench -->"));
  const taken = Map.groupBy(parts, ({ date, machine }) => `measured on ${date}, ${machine}`);
  const shown = [
    [...taken]
      .map(([text, of]) => `- ${of.map(({ part }) => TITLES[part] ?? part).join(", ")}: ${text}`)
      .join("\n"),
    ...parts.flatMap(({ compared = [] }) => compared.map(toolsTable)),
    tableOf(parts.flatMap(({ measures }) => measures)),
    ...parts.flatMap(({ notes = [] }) => notes),
  ].join("\n\n");
  await writeFile("README.md", `${before}<!-- bench -->\n\n${shown}\n\n${after}`);
  await execa("node_modules/.bin/prettier", ["--write", "README.md"]);
}
