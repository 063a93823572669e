// In the program that is shipped this module is replaced by its result: scripts/build.ts.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** What the console serves: content by path. */
export type PageFiles = Readonly<Record<string, { readonly type: string; readonly content: string }>>;

const folder = fileURLToPath(new URL("../page", import.meta.url));

export async function pageFiles(): Promise<PageFiles> {
  const { outputFiles } = await build({
    entryPoints: [
      { in: `${folder}/main.tsx`, out: "page" },
      { in: `${folder}/style/style.css`, out: "page" },
    ],
    outdir: "/",
    write: false,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2023",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
  });
  const text = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? "";
  return {
    "/": { type: "text/html; charset=utf-8", content: await readFile(`${folder}/index.html`, "utf8") },
    "/page.js": { type: "text/javascript; charset=utf-8", content: text(".js") },
    "/page.css": { type: "text/css; charset=utf-8", content: text(".css") },
  };
}
