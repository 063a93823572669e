// Runs one of the project's scripts on a machine that may have nothing but Node 20, npm and git: installs the packages
// of the lock file and PostgreSQL where they are missing, then hands over to the Node that the project is pinned to.
// Usage: node scripts/start.mjs <script> [argument...]
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE = join(ROOT, "node_modules", ".bin", "node");
/** Without this file Debian's package makes and starts a server of its own, on port 5432. */
const NO_CLUSTER = "/etc/postgresql-common/createcluster.d/dormouse.conf";
const ADVICE =
  "PostgreSQL's server and client tools are missing: install them with `sudo apt install postgresql` on Debian or " +
  "Ubuntu, `sudo dnf install postgresql-server postgresql-contrib` on Fedora or RHEL, `brew install postgresql` on macOS.";

function main([script, ...args]) {
  if (Number.parseInt(process.versions.node, 10) < 20)
    fail(`Node ${process.version} is too old: install Node 20 or later.`);
  if (!packagesAreInstalled())
    // Not how npm warns of its own Node: the project brings the one that it runs on.
    run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], "npm could not install the packages.");
  if (!postgresIsInstalled()) installPostgres();

  const child = spawn(NODE, [script, ...args], { cwd: ROOT, stdio: "inherit" });
  // A terminal sends Ctrl-C to the child as well, which clears up; this process only waits for it.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("exit", (code) => process.exit(code ?? 1));
}

function packagesAreInstalled() {
  const installed = join(ROOT, "node_modules", ".package-lock.json");
  const changedAt = (path) => statSync(path).mtimeMs;
  return (
    existsSync(NODE) &&
    existsSync(installed) &&
    changedAt(installed) >= changedAt(join(ROOT, "package-lock.json"))
  );
}

function postgresIsInstalled() {
  const majors = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  const folders = [
    ...majors.map((major) => `/usr/lib/postgresql/${major}/bin`),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  return folders.some((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "pg_dump")));
}

function installPostgres() {
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) fail(ADVICE);
  console.log("Installing PostgreSQL's server and client tools with apt, without a server of its own.");
  mkdirSync(dirname(NO_CLUSTER), { recursive: true });
  writeFileSync(NO_CLUSTER, "create_main_cluster = false\n");
  try {
    // The lists of packages are missing on a fresh machine, or old. Where they cannot be had, those there may do.
    succeeds("apt-get", ["update"]);
    run("apt-get", ["install", "--yes", "--no-install-recommends", "postgresql"], ADVICE);
  } finally {
    rmSync(NO_CLUSTER, { force: true });
  }
}

/** The demo hides the output of apt, and shows it if apt fails. */
function succeeds(program, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const stdio = program === "apt-get" ? ["ignore", "ignore", "pipe"] : ["ignore", "inherit", "inherit"];
  const { status, stderr } = spawnSync(program, args, { cwd: ROOT, stdio, env });
  if (status !== 0 && stderr) process.stderr.write(stderr);
  return status === 0;
}

function run(program, args, advice) {
  if (!succeeds(program, args)) fail(advice);
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

main(process.argv.slice(2));
