// Runs the tests against each PostgreSQL major that Dormouse supports, server and client tools of one Debian release:
// `npm run test:matrix [major...] [part of a path...]`. Root on Debian only. The releases lie in folders of their own in
// the cache of this user, made at first use; `--fresh` makes them anew.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, glob, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { execa } from "execa";
import { RELEASES, ROOTS, withRoot } from "./root-folders.ts";

/** These are not needed; without the compiler of queries, PostgreSQL runs them uncompiled. */
const NEEDLESS = [
  "usr/share/{doc,man,locale,info}/*",
  "usr/lib/postgresql/*/lib/llvmjit*",
  "usr/lib/postgresql/*/lib/bitcode",
  "usr/lib/*/libLLVM*",
  "usr/lib/llvm*",
  "var/lib/apt/lists/*",
];

async function main(words: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version"))
    throw new Error("the matrix needs root on Debian: it makes root folders of other Debian releases");
  const wanted = words.map(Number).filter((major) => RELEASES.has(major));
  const paths = words.filter((word) => !RELEASES.has(Number(word)) && word !== "--fresh");
  const majors = wanted.length > 0 ? wanted : [...RELEASES.keys()];
  await removeOthers();

  const failed: number[] = [];
  for (const major of majors) {
    const root = await rootOf(major, words.includes("--fresh"));
    console.log(`\nPostgreSQL ${major} in ${root}`);
    if (!(await passes(root, paths))) failed.push(major);
  }
  if (failed.length > 0) throw new Error(`tests failed against PostgreSQL ${failed.join(", ")}`);
  console.log(`\nAll tests passed against PostgreSQL ${majors.join(", ")}.`);
}

/** What a release needs that is not in RELEASES any more, or was left half made. */
async function removeOthers(): Promise<void> {
  await mkdir(ROOTS, { recursive: true, mode: 0o755 });
  for (const name of await readdir(ROOTS)) {
    if (!RELEASES.has(Number(name))) await rm(join(ROOTS, name), { recursive: true });
  }
}

async function rootOf(major: number, isFresh: boolean): Promise<string> {
  const root = join(ROOTS, `${major}`);
  if (isFresh) await rm(root, { recursive: true, force: true });
  if (existsSync(root)) return root;
  console.log(`Making a root folder with PostgreSQL ${major}, some minutes and 200 MB: ${root}`);
  const unfinished = `${root}.new`;
  await makeRoot(major, unfinished);
  for await (const path of glob(NEEDLESS, { cwd: unfinished }))
    await rm(join(unfinished, path), { recursive: true, force: true });
  await writeFile(join(unfinished, "etc/hosts"), "127.0.0.1 localhost\n");
  await addClients(unfinished, root);
  await rename(unfinished, root);
  return root;
}

/** From the mirror, and through the proxy, that this machine's apt is configured with. */
async function makeRoot(major: number, root: string): Promise<void> {
  const release = RELEASES.get(major) ?? "";
  // Else Debian's package makes a server and starts it.
  const noCluster =
    'mkdir -p "$1/etc/postgresql-common/createcluster.d" && echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.d/dormouse.conf"';
  const options = [
    ...(await acquireOptions()),
    // A mirror may be a snapshot, which is older than its index says.
    'Acquire::Check-Valid-Until "false"',
    'APT::Install-Recommends "false"',
  ];
  await execa(
    "mmdebstrap",
    [
      "--variant=essential",
      `--include=postgresql-${major}`,
      `--setup-hook=${noCluster}`,
      ...options.map((option) => `--aptopt=${option}`),
      release,
      root,
      await mirror("Debian"),
      ...(release === "sid" ? [] : [`deb ${await mirror("Debian-Security")} ${release}-security main`]),
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
}

async function acquireOptions(): Promise<string[]> {
  const { stdout } = await execa("apt-config", ["dump"]);
  return stdout
    .split("\n")
    .filter((line) => /^Acquire::https?::/.test(line))
    .map((line) => line.replace(/;$/, ""));
}

async function mirror(label: string): Promise<string> {
  const wanted = ["--format", "$(SITE)", "Created-By: Packages", "Origin: Debian", `Label: ${label}`];
  const { stdout } = await execa("apt-get", ["indextargets", ...wanted]);
  const [site] = stdout.split("\n").filter(Boolean);
  if (site === undefined) throw new Error(`apt knows no mirror of ${label}: run apt-get update first`);
  return site;
}

/** A client runs in its root, and in the folder in which it was called. */
async function addClients(unfinished: string, root: string): Promise<void> {
  const clients = join(unfinished, "dormouse-bin");
  await mkdir(clients);
  for await (const path of glob("usr/lib/postgresql/*/bin/*", { cwd: unfinished })) {
    const client = join(clients, basename(path));
    const inside = `cd "$0" 2>/dev/null || cd /; exec "$@"`;
    await writeFile(
      client,
      `#!/bin/sh\nexec /usr/sbin/chroot '${root}' /bin/sh -c '${inside}' "$PWD" '/${path}' "$@"\n`,
    );
    await chmod(client, 0o755);
  }
}

async function passes(root: string, paths: readonly string[]): Promise<boolean> {
  const { program, args, env } = withRoot(root, "scripts/run-tests.ts", ...paths);
  const child = spawn(program, args, { stdio: "inherit", env });
  // Ctrl-C reaches the tests as well, which clear up; this process waits for them.
  process.once("SIGINT", () => undefined);
  const [code] = (await once(child, "exit")) as [number | null];
  return code === 0;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
