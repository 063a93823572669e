// Builds the container image with docker, podman or buildah, whichever is there.
// Usage: npm run image -- [name:tag] [option of the builder...], such as --build-arg PG_SOURCE=debian
import { execa } from "execa";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../shared/version.ts";
import { findBuilder } from "./image/builder.ts";

const HASHES = "scripts/image/node-hashes.json";

async function main(args: readonly string[]): Promise<void> {
  const [first = ""] = args;
  const isNamed = first !== "" && !first.startsWith("-");
  const image = isNamed ? first : `dormouse:${version}`;
  const builder = await findBuilder();
  await execa("npm", ["run", "build"], { stdio: "inherit" });
  await fetchNode();
  await builder.build(image, ".", args.slice(isNamed ? 1 : 0));
  console.log(`${image} built with ${builder.program}`);
}

/** The Node that the tests ran on, for Linux, whatever this machine is. */
async function fetchNode(): Promise<void> {
  const { arch } = process;
  if (arch !== "x64" && arch !== "arm64") throw new Error(`there is no image for processors of type ${arch}`);
  const tested = JSON.parse(await readFile("node_modules/node/package.json", "utf8")) as { version: string };
  const name = `node-linux-${arch}`;
  const prefix = await mkdtemp(join(tmpdir(), "dormouse-image-"));
  try {
    const options = ["--prefix", prefix, "--no-save", "--os=linux", `--cpu=${arch}`];
    await execa("npm", ["install", ...options, `${name}@${tested.version}`]);
    await refuseOther(prefix, name, tested.version);
    await mkdir(".image", { recursive: true });
    await cp(join(prefix, "node_modules", name, "bin/node"), ".image/node");
  } finally {
    await rm(prefix, { recursive: true, force: true });
  }
}

/** npm has compared the archive with what the registry says; this compares that with what the project pins. */
async function refuseOther(prefix: string, name: string, wanted: string): Promise<void> {
  const lock = await json<Lock>(join(prefix, "node_modules/.package-lock.json"));
  const pinned = await json<Readonly<Record<string, Readonly<Record<string, string>>>>>(HASHES);
  const hash = pinned[wanted]?.[process.arch];
  if (hash === undefined)
    throw new Error(`${HASHES} pins no Node ${wanted} for ${process.arch}: add its hash`);
  if (lock.packages[`node_modules/${name}`]?.integrity !== hash)
    throw new Error(`${name} ${wanted} is not the one that ${HASHES} pins: it was not put into an image`);
}

type Lock = { readonly packages: Readonly<Record<string, { readonly integrity?: string }>> };

async function json<Content>(path: string): Promise<Content> {
  return JSON.parse(await readFile(path, "utf8")) as Content;
}

// One sentence instead of a stack: what is missing on this machine is no fault of the program.
await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
