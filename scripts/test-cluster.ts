// Builds the images, loads them into the cluster that KUBECONFIG names, and runs the tests that only a cluster can pass.
// Usage: npm run test:cluster -- [part of a path...]
//   IMAGE_OPTIONS  options for the builder of the images, such as "--pull=never --build-arg PG_SOURCE=debian"
//   LOAD_IMAGE     the program that takes the archive of an image and puts it where the cluster finds it
//   KEEP_IMAGES    set to use the images that the cluster has already
import { execa } from "execa";
import { existsSync } from "node:fs";
import { glob, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freeVolumes } from "./cluster/free-volumes.ts";
import { findBuilder, type Builder } from "./image/builder.ts";
import { runFiles } from "./run-files.ts";

const IMAGE = "dev.local/dormouse:dev";
const POSTGRES = "docker.io/library/postgres:15";
const LOAD_IMAGE = process.env["LOAD_IMAGE"] ?? "../shared/cluster/load-image";
const TIMEOUT_MS = 900_000;
/** All that an overlay of ours needs; docs/knative.md names them overlay by overlay. */
const FLAGS = ["persistent-volume-claim", "persistent-volume-write", "securitycontext", "affinity"];

async function main(wanted: readonly string[]): Promise<void> {
  if (process.env["KUBECONFIG"] === undefined) throw new Error("KUBECONFIG must name a cluster for tests");
  if (process.env["KEEP_IMAGES"] === undefined) await provideImages(await findBuilder());
  await setFlags();
  await freeVolumes(IMAGE);
  const files = (await Array.fromAsync(glob("test/cluster/*.test.ts")))
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .toSorted();
  if (files.length === 0) throw new Error(`no test file matches ${wanted.join(" ")}`);
  await runFiles(files, { concurrency: 2, timeout: TIMEOUT_MS });
}

async function provideImages(builder: Builder): Promise<void> {
  if (!existsSync(LOAD_IMAGE))
    throw new Error("LOAD_IMAGE must name a program that loads images into the cluster");
  const options = (process.env["IMAGE_OPTIONS"] ?? "").split(" ").filter((option) => option !== "");
  await execa("npm", ["run", "image", "--", IMAGE, ...options], { stdio: ["ignore", "inherit", "inherit"] });
  await builder.build(
    POSTGRES,
    "test/cluster/postgresql",
    options.filter((option) => option.startsWith("--pull")),
  );
  for (const image of [IMAGE, POSTGRES]) await load(builder, image);
}

async function load(builder: Builder, image: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dormouse-image-"));
  try {
    const archive = join(folder, "image.tar");
    await builder.save(image, archive);
    await execa(LOAD_IMAGE, [archive], { stdio: ["ignore", "inherit", "inherit"] });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function setFlags(): Promise<void> {
  const data = Object.fromEntries(FLAGS.map((flag) => [`kubernetes.podspec-${flag}`, "enabled"]));
  const patch = ["--type=merge", "--patch", JSON.stringify({ data })];
  await execa("kubectl", ["patch", "configmap/config-features", "-n", "knative-serving", ...patch]);
}

await main(process.argv.slice(2));
