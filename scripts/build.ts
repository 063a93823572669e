// Bundles each function into one folder of dist/, for the container: `index.mjs`, chunks that are loaded when they are
// needed, and the compiled code of what a start needs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, glob, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { build, type Plugin } from "esbuild";
import { pageFiles } from "../cli/console/page-files.ts";

/** Some packages are CommonJS and call `require` for modules of Node. */
const REQUIRE = 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);';

const [RESOLVED, OWN] = [Symbol("resolved"), Symbol("own")];

/** Enough for every function to start; nothing of it is reached. */
const ANY_CONFIGURATION = {
  PATH: process.env["PATH"] ?? "",
  PORT: "0",
  DATABASE_SERVICE_NAME: "127.0.0.1",
  POSTGRESQL_USER: "build",
  POSTGRESQL_PASSWORD: "build",
  POSTGRESQL_DATABASE: "build",
  AUTH: "none",
};

/** Portable: the folder may be built in one place and run in another. A cache of another Node is passed over. */
const INDEX = `const { enableCompileCache } = process.getBuiltinModule("node:module");
enableCompileCache({ directory: import.meta.dirname + "/compiled", portable: true });
await import("./main.mjs");
`;

/**
 * An `import` of a module of Node looks at each of its exports, and so loads what `node:http` would load for a
 * WebSocket: as much again as a bare start. `require` does not.
 */
const requireBuiltins: Plugin = {
  name: "require-builtins",
  setup(bundler) {
    bundler.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "builtin" }));
    bundler.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/**
 * Gives `zod/mini`, with which configuration is read, its own few modules of zod. Shared with the whole of zod, which
 * is loaded later, all that either needs would be in one chunk and run before the function listens.
 */
const ownMini: Plugin = {
  name: "own-zod-mini",
  setup(bundler) {
    bundler.onResolve({ filter: /^(?:zod\/mini$|\.)/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === RESOLVED || (path !== "zod/mini" && pluginData !== OWN)) return undefined;
      const found = await bundler.resolve(path, { ...from, pluginData: RESOLVED });
      return { path: found.path, suffix: "?own", sideEffects: false };
    });
    bundler.onLoad({ filter: /\/node_modules\/zod\// }, async ({ path, suffix }) =>
      suffix === "?own" ? { contents: await readFile(path, "utf8"), pluginData: OWN } : undefined,
    );
  },
};

async function bundle(name: string): Promise<void> {
  const outdir = `dist/${name}`;
  await rm(outdir, { recursive: true, force: true });
  await build({
    entryPoints: [{ in: `functions/${name}/index.ts`, out: "main" }],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    // Names stay as they are: stack traces are read by people.
    minifySyntax: true,
    minifyWhitespace: true,
    platform: "node",
    target: "node24",
    format: "esm",
    external: ["pg-native"],
    plugins: [requireBuiltins, ownMini],
    banner: { js: REQUIRE },
    legalComments: "linked",
  });
  await writeFile(join(outdir, "index.mjs"), INDEX);
}

/** Starts the function once, answers one request and ends it: what ran is compiled, and Node keeps it beside the code. */
async function compile(name: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dormouse-build-"));
  try {
    const env = { ...ANY_CONFIGURATION, BACKUP_DIR: folder, RESTORE_DIR: folder, TMPDIR: folder };
    const stdio = ["ignore", "pipe", "inherit"] as const;
    const child = spawn(process.execPath, [`dist/${name}/index.mjs`], { env, stdio: [...stdio] });
    const ended = once(child, "exit");
    for await (const line of createInterface(child.stdout)) {
      const { message, port, error } = JSON.parse(line) as Record<string, unknown>;
      if (message === "start-up failed") throw new Error(`${name} does not start: ${String(error)}`);
      if (message !== "listening") continue;
      await fetch(`http://127.0.0.1:${String(port)}/health/readiness`);
      child.kill("SIGTERM");
    }
    await ended;
    await makeReadable(`dist/${name}/compiled`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The function may run as any user, and Node writes its cache for its own alone. */
async function makeReadable(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
}

/** The page of the console is part of the program: it is bundled here, and not where the program runs. */
const pageAsText: Plugin = {
  name: "page-as-text",
  setup(bundler) {
    bundler.onLoad({ filter: /\/cli\/console\/page-files\.ts$/ }, async () => ({
      contents: `export const pageFiles = async () => (${JSON.stringify(await pageFiles())});`,
    }));
  },
};

/** One file for a person's machine, which may have Node 22; it needs nothing else. */
async function bundleProgram(): Promise<void> {
  const outfile = "dist/kubectl-dormouse";
  await build({
    entryPoints: ["cli/index.ts"],
    outfile,
    bundle: true,
    minifySyntax: true,
    minifyWhitespace: true,
    platform: "node",
    target: "node22",
    // Without an extension Node takes it for CommonJS, wherever it is copied to; here because of the line below.
    format: "cjs",
    plugins: [pageAsText],
    banner: { js: "#!/usr/bin/env node" },
    legalComments: "eof",
  });
  await writeFile("dist/package.json", '{ "type": "commonjs" }\n');
  await chmod(outfile, 0o755);
}

await bundleProgram();
await mkdir("dist/relay", { recursive: true });
await copyFile("relay/index.mjs", "dist/relay/index.mjs");
console.log("dist/kubectl-dormouse");
for await (const entry of glob("functions/*/index.ts")) {
  const name = basename(dirname(entry));
  await bundle(name);
  await compile(name);
  console.log(`dist/${name}/index.mjs`);
}
