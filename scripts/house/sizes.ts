import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = ["cli/**/*.{ts,tsx}", "functions/**/*.ts", "shared/**/*.ts"];

type Sizes = {
  readonly files: number;
  readonly lines: number;
  readonly testLines: number;
  readonly median: number;
  /** Nine of ten files have at most so many lines. */
  readonly ninetieth: number;
  /** Files in each folder, the fullest first. */
  readonly folders: readonly (readonly [folder: string, files: number])[];
};

/** What the sources and the tests measure, in lines and files. */
export async function sizes(): Promise<Sizes> {
  const sources = await measure(SOURCES);
  const tests = await measure(["test/**/*.ts"]);
  const ordered = sources.map(({ lines }) => lines).toSorted((a, b) => a - b);
  const at = (share: number) =>
    ordered[Math.min(ordered.length - 1, Math.floor(ordered.length * share))] ?? 0;
  const folders = Map.groupBy(sources, ({ path }) => dirname(path));
  return {
    files: sources.length,
    lines: sum(sources),
    testLines: sum(tests),
    median: at(0.5),
    ninetieth: at(0.9),
    folders: [...folders]
      .map(([folder, each]) => [folder, each.length] as const)
      .toSorted(([, a], [, b]) => b - a),
  };
}

type Measured = { readonly path: string; readonly lines: number };

async function measure(patterns: readonly string[]): Promise<Measured[]> {
  const paths = await Array.fromAsync(glob(patterns, { cwd: ROOT }));
  return Promise.all(
    paths.map(async (path) => ({
      path,
      lines: (await readFile(join(ROOT, path), "utf8")).split("\n").length - 1,
    })),
  );
}

function sum(measured: readonly Measured[]): number {
  return measured.reduce((total, { lines }) => total + lines, 0);
}
