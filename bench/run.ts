// Measures Dormouse against the pipeline of the old pod, in one run on one machine: `npm run bench`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { execa } from "execa";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { backupEnvironment, manifestOf, startFunction } from "../test/support/function-process.ts";
import { startPostgres, type OwnServer } from "../test/support/postgres.ts";
import { createSample } from "../test/support/sample-database.ts";
import { culls } from "./cull.ts";
import { mirrors } from "./mirror.ts";
import { restores } from "./restore.ts";
import { imageEnvironment, measure, median, peakOf, plotOf, tableOf, type Measure } from "./measure.ts";

/** About 0.92 MB of database each. */
const [SMALL, LARGE] = [60, 600];
const DUMPS = 3;
const STARTS = 25;
const MEMORY_LIMIT_MB = 120;

type Dump = { readonly ms: number; readonly bytes: number };

async function main(): Promise<void> {
  await execa(process.execPath, ["scripts/build.ts"]);
  process.env["DORMOUSE_TEST_DIST"] = "dist";
  await using server = await startPostgres({ shared_buffers: "1GB", max_wal_size: "4GB" });
  const folder = await mkdtemp(join(tmpdir(), "dormouse-bench-"));
  try {
    for (const [name, scale] of [
      ["small", SMALL],
      ["large", LARGE],
    ] as const)
      await fill(server, name, scale);
    const measures = [
      ...(await dumps(server, folder)),
      ...(await memory(server, folder)),
      ...(await startUp(server, folder)),
      ...(await culls(folder)),
      ...(await restores(server, "large", folder)),
      ...(await mirrors(server, folder)),
    ];
    const machine = `${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, PostgreSQL ${server.major}, ${await sizeOf(server, "large")}`;
    const date = new Date().toISOString().slice(0, 10);
    const results = { machine, date, measures };
    await writeFile("bench/results.json", `${JSON.stringify(results, null, 2)}\n`);
    await writeFile("bench/results.svg", plotOf(measures));
    await showInReadme(machine, date, measures);
    console.log(`\n${machine}\n\n${tableOf(measures)}`);
    if (measures.some(({ holds }) => !holds)) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fill(server: OwnServer, name: string, scale: number): Promise<void> {
  await server.createDatabase(name);
  const client = await server.connect(name);
  await createSample(client, scale);
  await client.query("VACUUM ANALYZE");
  await client.end();
  console.log(`${name}: ${await sizeOf(server, name)}`);
}

async function sizeOf(server: OwnServer, name: string): Promise<string> {
  const { rows } = await server.query(
    name,
    "SELECT pg_size_pretty(pg_database_size(current_database())) AS size",
  );
  return `database of ${(rows as { size: string }[])[0]?.size}`;
}

/** Each after the other, so that a slow minute of the machine meets both. */
async function dumps(server: OwnServer, folder: string): Promise<Measure[]> {
  const [ours, old]: [Dump[], Dump[]] = [[], []];
  for (let round = 1; round <= DUMPS; round++) {
    old.push(await oldPipeline(server, join(folder, "old.gz")));
    ours.push((await backUp(server, "large", folder)).dump);
    console.log(
      `round ${round}: old ${Math.round(old.at(-1)?.ms ?? 0)} ms, ours ${Math.round(ours.at(-1)?.ms ?? 0)} ms`,
    );
  }
  const referenceName = "pg_dump | gzip";
  const isNew = server.major >= 16;
  const seconds = (runs: readonly Dump[]) => median(runs.map(({ ms }) => ms)) / 1000;
  const megabytes = (runs: readonly Dump[]) => median(runs.map(({ bytes }) => bytes)) / 1e6;
  return [
    measure({
      name: "dump, verified",
      unit: "s",
      ours: seconds(ours),
      reference: seconds(old),
      referenceName,
      limit: isNew ? 0.35 : 0.4,
    }),
    measure({
      name: "size of the archive",
      unit: "MB",
      ours: megabytes(ours),
      reference: megabytes(old),
      referenceName,
      limit: isNew ? 1 : 1.1,
    }),
  ];
}

async function oldPipeline(server: OwnServer, path: string): Promise<Dump> {
  const begun = performance.now();
  await execa("sh", ["-c", '"$0" large | gzip > "$1"', `${server.binDir}/pg_dump`, path], {
    env: { PGHOST: server.host, PGPORT: `${server.port}`, PGUSER: server.user, PGPASSWORD: server.password },
  });
  return { ms: performance.now() - begun, bytes: (await stat(path)).size };
}

/** One backup by a process of its own, with the peak of its resident memory. */
async function backUp(server: OwnServer, database: string, folder: string) {
  await using backup = await startFunction("backup", {
    ...(await imageEnvironment()),
    ...backupEnvironment(server, database, folder),
  });
  const begun = performance.now();
  const manifest = await manifestOf(await backup.post());
  const dump = { ms: performance.now() - begun, bytes: manifest.archive.sizeBytes };
  return { dump, peakMb: await peakOf(backup.pid) };
}

async function memory(server: OwnServer, folder: string): Promise<Measure[]> {
  const small = (await backUp(server, "small", folder)).peakMb;
  const large = (await backUp(server, "large", folder)).peakMb;
  return [
    measure({
      name: "peak memory",
      unit: "MB",
      ours: large,
      reference: MEMORY_LIMIT_MB,
      referenceName: "limit",
      limit: 1,
    }),
    measure({
      name: "peak memory, ten times the data",
      unit: "MB",
      ours: large,
      reference: small,
      referenceName: "a tenth",
      limit: 1.2,
    }),
  ];
}

type Start = { readonly acceptingMs: number; readonly answeringMs: number };

const BARE = `const server = require("node:http").createServer((_, response) => response.end());
server.listen(0, () => process.stdout.write(JSON.stringify({ message: "listening", port: server.address().port }) + "\\n"));`;

/** Both take turns, so that a slow moment of the machine meets both. */
async function startUp(server: OwnServer, folder: string): Promise<Measure[]> {
  const [ours, bare]: [Start[], Start[]] = [[], []];
  const image = await imageEnvironment();
  const environment = { ...image, ...backupEnvironment(server, "small", folder) };
  for (let start = 0; start < STARTS; start++) {
    bare.push(await timeStart(["-e", BARE], image));
    ours.push(await timeStart(["dist/backup/index.mjs"], environment));
  }
  const compared = (name: string, limit: number, pick: (start: Start) => number) =>
    measure({
      name,
      unit: "ms",
      ours: median(ours.map(pick)),
      reference: median(bare.map(pick)),
      referenceName: "bare node:http",
      limit,
    });
  return [
    compared("start to accepting", 1.7, ({ acceptingMs }) => acceptingMs),
    compared("start to first answer", 5, ({ answeringMs }) => answeringMs),
  ];
}

/** Connections are accepted when the first line says so; requests may wait longer. */
async function timeStart(args: string[], env: Readonly<Record<string, string>>): Promise<Start> {
  const begun = performance.now();
  const child = spawn(process.execPath, args, { env: { ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const acceptingMs = performance.now() - begun;
  const { port } = JSON.parse(String(line)) as { port: number };
  await fetch(`http://127.0.0.1:${port}/health/readiness`, { headers: { connection: "close" } });
  const answeringMs = performance.now() - begun;
  child.kill("SIGKILL");
  await once(child, "exit");
  return { acceptingMs, answeringMs };
}

/** The README shows the last run, between two comments. */
async function showInReadme(machine: string, date: string, measures: readonly Measure[]): Promise<void> {
  const readme = await readFile("README.md", "utf8");
  const [before = "", rest = ""] = readme.split("<!-- bench -->");
  const after = rest.slice(rest.indexOf("<!-- /bench -->"));
  const shown = `\nMeasured on ${date}: ${machine}.\n\n${tableOf(measures)}\n\n`;
  await writeFile("README.md", `${before}<!-- bench -->\n${shown}${after}`);
  await execa("node_modules/.bin/prettier", ["--write", "README.md"]);
}

await main();
