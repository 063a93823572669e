// Builds the container image with docker, podman or buildah, whichever is there.
// Usage: npm run image -- [name:tag] [option of the builder...], such as --build-arg PG_SOURCE=debian
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { version } from "../shared/version.ts";

/** Each with a command that succeeds only where it can build. */
const BUILDERS = [
  { program: "docker", probe: ["info"], build: ["build"] },
  { program: "podman", probe: ["info"], build: ["build"] },
  { program: "buildah", probe: ["info"], build: ["build"] },
] as const;
/** What npm calls the processors that Node and the container have in common. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x64", arm64: "arm64" };

async function main(args: readonly string[]): Promise<void> {
  const [first = ""] = args;
  const isNamed = first !== "" && !first.startsWith("-");
  const name = isNamed ? first : `dormouse:${version}`;
  const builder = await findBuilder();
  await execa("npm", ["run", "build"], { stdio: "inherit" });
  await fetchNode();
  await execa(builder.program, [...builder.build, "--tag", name, ...args.slice(isNamed ? 1 : 0), "."], {
    stdio: "inherit",
  });
  console.log(`${name} built with ${builder.program}`);
}

async function findBuilder() {
  for (const builder of BUILDERS) {
    const { failed } = await execa(builder.program, builder.probe, { reject: false });
    if (!failed) return builder;
  }
  throw new Error("no docker, podman or buildah that can build was found: install one, or start its daemon");
}

/** The Node that the tests ran on, for Linux, whatever this machine is. */
async function fetchNode(): Promise<void> {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`there is no image for processors of type ${process.arch}`);
  const tested = JSON.parse(await readFile("node_modules/node/package.json", "utf8")) as { version: string };
  const prefix = join(tmpdir(), `dormouse-image-${process.pid}`);
  const wanted = `node-linux-${architecture}@${tested.version}`;
  await mkdir(prefix, { recursive: true });
  try {
    await execa("npm", [
      "install",
      "--prefix",
      prefix,
      "--no-save",
      "--os=linux",
      `--cpu=${architecture}`,
      wanted,
    ]);
    await mkdir(".image", { recursive: true });
    await cp(join(prefix, `node_modules/node-linux-${architecture}/bin/node`), ".image/node");
  } finally {
    await rm(prefix, { recursive: true, force: true });
  }
}

await main(process.argv.slice(2));
