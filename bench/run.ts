// Measures Dormouse against the tools themselves and the pipeline of the old pod, in one run on one machine: `npm run bench`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { execa } from "execa";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { backupEnvironment } from "../test/support/function-process.ts";
import { startPostgres, type OwnServer } from "../test/support/postgres.ts";
import { culls } from "./cull.ts";
import { fill, LARGE, peakOfBackup, SETTINGS, sizeOf, SMALL } from "./large-database.ts";
import { mirrors } from "./mirror.ts";
import { huge } from "./huge.ts";
import { outage } from "./outage.ts";
import { overloads } from "./overload.ts";
import { toolsTable, type Compared } from "./tool-measures.ts";
import { againstTools } from "./tools.ts";
import { imageEnvironment, measure, median, plotOf, tableOf, type Measure } from "./measure.ts";

const STARTS = 25;
const MEMORY_LIMIT_MB = 120;

async function main(): Promise<void> {
  await execa(process.execPath, ["scripts/build.ts"]);
  process.env["DORMOUSE_TEST_DIST"] = "dist";
  await using server = await startPostgres(SETTINGS);
  const folder = await mkdtemp(join(tmpdir(), "dormouse-bench-"));
  try {
    for (const [name, scale] of [
      ["small", SMALL],
      ["large", LARGE],
    ] as const)
      await fill(server, name, scale);
    const tools = await againstTools(server, folder);
    const measures = [
      ...tools.flatMap((each) => each.measures),
      ...(await memory(server, folder)),
      ...(await startUp(server, folder)),
      ...(await culls(folder)),
      ...(await overloads(server, folder)),
      await outage(server, "large", folder),
      ...(await mirrors(server, folder)),
    ];
    const gigabytes = process.env["DORMOUSE_BENCH_HUGE"];
    const large = gigabytes === undefined ? undefined : await huge(server, folder, Number(gigabytes));
    measures.push(...(large?.measures ?? []));
    const machine = `${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, PostgreSQL ${server.major}, ${await sizeOf(server, "large")}`;
    const date = new Date().toISOString().slice(0, 10);
    const compared = tools.map((each) => each.compared);
    const results = { machine, date, compared, huge: large?.times, measures };
    await writeFile("bench/results.json", `${JSON.stringify(results, null, 2)}\n`);
    await writeFile("bench/results.svg", plotOf(measures));
    await showInReadme(`Measured on ${date}: ${machine}.`, compared, measures);
    console.log(`\n${machine}\n\n${tableOf(measures)}`);
    if (measures.some(({ holds }) => !holds)) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function memory(server: OwnServer, folder: string): Promise<Measure[]> {
  const small = await peakOfBackup(server, "small", folder);
  const large = await peakOfBackup(server, "large", folder);
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
    compared("start to accepting", 2, ({ acceptingMs }) => acceptingMs),
    compared("start to first answer", 6, ({ answeringMs }) => answeringMs),
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
async function showInReadme(
  when: string,
  compared: readonly Compared[],
  measures: readonly Measure[],
): Promise<void> {
  const readme = await readFile("README.md", "utf8");
  const [before = "", rest = ""] = readme.split("<!-- bench -->");
  const after = rest.slice(rest.indexOf("<!-- /bench -->"));
  const shown = [when, ...compared.map(toolsTable), tableOf(measures)].join("\n\n");
  await writeFile("README.md", `${before}<!-- bench -->\n\n${shown}\n\n${after}`);
  await execa("node_modules/.bin/prettier", ["--write", "README.md"]);
}

await main();
