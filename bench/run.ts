// Measures Dormouse against the pipeline of the old pod, in one run on one machine: `npm run bench`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { execa } from "execa";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { backupEnvironment, manifestOf, startFunction } from "../test/support/function-process.ts";
import { startPostgres, type OwnServer } from "../test/support/postgres.ts";
import { createSample } from "../test/support/sample-database.ts";
import { culls } from "./cull.ts";
import { measure, median, peakOf, plotOf, tableOf, type Measure } from "./measure.ts";

/** About 1.2 MB of database each. */
const [SMALL, LARGE] = [45, 450];
const DUMPS = 3;
const STARTS = 9;
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
      await startUp(server, folder),
      ...(await culls(folder)),
    ];
    const machine = `${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, PostgreSQL ${server.major}, ${await sizeOf(server, "large")}`;
    const results = { machine, date: new Date().toISOString().slice(0, 10), measures };
    await writeFile("bench/results.json", `${JSON.stringify(results, null, 2)}\n`);
    await writeFile("bench/results.svg", plotOf(measures));
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
  await using backup = await startFunction("backup", backupEnvironment(server, database, folder));
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

async function startUp(server: OwnServer, folder: string): Promise<Measure> {
  const bare = `const s = require("node:http").createServer().listen(0, () => process.stdout.write(JSON.stringify({ message: "listening", port: s.address().port }) + "\\n"))`;
  const [ours, reference]: [number[], number[]] = [[], []];
  for (let start = 0; start < STARTS; start++) {
    reference.push(await timeToFirstLine(["-e", bare], {}));
    ours.push(await timeToFirstLine(["dist/backup/index.mjs"], backupEnvironment(server, "small", folder)));
  }
  return measure({
    name: "start to accepting",
    unit: "ms",
    ours: median(ours),
    reference: median(reference),
    referenceName: "bare node:http",
    limit: 1.7,
  });
}

async function timeToFirstLine(args: string[], env: Readonly<Record<string, string>>): Promise<number> {
  const begun = performance.now();
  const child = spawn(process.execPath, args, { env: { ...env }, stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const ms = performance.now() - begun;
  child.kill("SIGKILL");
  await once(child, "exit");
  return ms;
}

await main();
