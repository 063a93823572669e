// Measures Dormouse against the tools themselves and the pipeline of the old pod, in one run on one machine: `npm run bench`.
// `npm run bench -- mirror cull` runs these parts alone, and leaves the figures of the others as they are.
import { execa } from "execa";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { startPostgres, type OwnServer } from "../test/support/postgres.ts";
import { culls } from "./cull.ts";
import { fill, LARGE, peakOfBackup, SETTINGS, sizeOf, SMALL } from "./large-database.ts";
import { mirrors } from "./mirror.ts";
import { huge } from "./huge.ts";
import { outage } from "./outage.ts";
import { overloads } from "./overload.ts";
import { startUp } from "./start-up.ts";
import { againstTools } from "./tools.ts";
import { keepResults, type Measured } from "./results.ts";
import { measure, tableOf, type Measure } from "./measure.ts";

const MEMORY_LIMIT_MB = 120;
/** Of these databases no use is made by the other parts. */
const WITH_DATABASES = new Set(["tools", "memory", "start", "overload", "outage"]);

type Bench = { readonly server: OwnServer; readonly folder: string };

const PARTS: Readonly<Record<string, (bench: Bench) => Promise<Measured>>> = {
  async tools({ server, folder }) {
    const tools = await againstTools(server, folder);
    return {
      compared: tools.map(({ compared }) => compared),
      measures: tools.flatMap(({ measures }) => measures),
    };
  },
  memory: async ({ server, folder }) => ({ measures: await memory(server, folder) }),
  start: async ({ server, folder }) => ({ measures: await startUp(server, folder) }),
  cull: async ({ folder }) => ({ measures: await culls(folder) }),
  overload: async ({ server, folder }) => ({ measures: await overloads(server, folder) }),
  outage: async ({ server, folder }) => ({ measures: [await outage(server, "large", folder)] }),
  mirror: async ({ server, folder }) => mirrors(server, folder),
  huge: async ({ server, folder }) => huge(server, folder),
};

/** The huge part takes longer than all others, and room: it runs where it is asked for. */
function chosen(names: readonly string[]): readonly string[] {
  const unknown = names.filter((name) => !(name in PARTS));
  if (unknown.length > 0) throw new Error(`no part ${unknown.join(", ")}: ${Object.keys(PARTS).join(", ")}`);
  return names.length > 0 ? names : Object.keys(PARTS).filter((part) => part !== "huge");
}

async function main(): Promise<void> {
  const wanted = chosen(process.argv.slice(2));
  const [load = 0] = loadavg();
  await execa(process.execPath, ["scripts/build.ts"]);
  process.env["DORMOUSE_TEST_DIST"] = "dist";
  await using server = await startPostgres(SETTINGS);
  const folder = await mkdtemp(join(tmpdir(), "dormouse-bench-"));
  // Then seconds say little, and ratios and processor seconds more.
  const busy = load > 1 ? `, beside other work (load ${load.toFixed(0)})` : "";
  const machine = `${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, PostgreSQL ${server.major}${busy}`;
  try {
    const size = wanted.some((part) => WITH_DATABASES.has(part)) ? await fillBoth(server) : "";
    const ran = [];
    for (const [part, run] of Object.entries(PARTS)) {
      if (!wanted.includes(part)) continue;
      const measured = await run({ server, folder });
      const where = WITH_DATABASES.has(part) ? `${machine}, ${size}` : machine;
      ran.push({ part, date: new Date().toISOString().slice(0, 10), machine: where, ...measured });
    }
    await keepResults(Object.keys(PARTS), ran);
    const measures = ran.flatMap((each) => each.measures);
    console.log([machine, tableOf(measures), ...ran.flatMap(({ notes = [] }) => notes)].join("\n\n"));
    if (measures.some(({ holds }) => !holds)) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fillBoth(server: OwnServer): Promise<string> {
  await fill(server, "small", SMALL);
  await fill(server, "large", LARGE);
  return sizeOf(server, "large");
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

await main();
