// Bundles each function into one folder of dist/, for the container.
import { glob } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { build } from "esbuild";

/** Some packages are CommonJS and call `require` for modules of Node. */
const REQUIRE =
  'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

for await (const entry of glob("functions/*/index.ts")) {
  const name = basename(dirname(entry));
  await build({
    entryPoints: [entry],
    outdir: `dist/${name}`,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    minify: true,
    keepNames: true,
    platform: "node",
    target: "node24",
    format: "esm",
    external: ["pg-native"],
    banner: { js: REQUIRE },
    legalComments: "linked",
  });
  console.log(`dist/${name}/index.mjs`);
}
