// A dry run of cull over thousands of backups, against a program that merely reads the same files, and against what was aimed at
// (docs/decisions/listing.md).
import { createHash } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { BackupManifest } from "../shared/catalog/manifest.ts";
import { cull, cullEnvironment, DAY_MS, fillVolume } from "../test/support/culled.ts";
import { startFunction } from "../test/support/function-process.ts";
import { imageEnvironment, measure, median, peakOf, processorOf, type Measure } from "./measure.ts";

/** On a volume, one each night, with so many tables in each manifest, of which some change each night. */
const BACKUPS = 10_000;
const TABLES = 40;
const CHANGING = 10;
const ROUNDS = 5;
const GOAL_SECONDS = 1.5;
const GOAL_MB = 120;

type Taken = { readonly seconds: number; readonly processor: number; readonly peakMb: number };

export async function culls(folder: string): Promise<Measure[]> {
  const path = join(folder, "culled");
  await mkdir(path, { recursive: true });
  await fillVolume(path, BACKUPS, (night) => ({
    startedAt: new Date(Date.now() - (BACKUPS - night) * DAY_MS),
    content: contentOf(night),
  }));
  const [ours, bare]: [Taken[], Taken[]] = [[], []];
  // Both take turns, so that a slow moment of the machine meets both.
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await bareListing(path));
    ours.push(await dryRun(path));
  }
  const of = (takes: readonly Taken[], what: keyof Taken) => median(takes.map((each) => each[what]));
  const name = `list, plan and dry run of ${BACKUPS} backups`;
  const compared = (unit: string, what: keyof Taken) => ({ unit, ours: of(ours, what) });
  const goal = (reference: number) => ({ reference, referenceName: "goal" });
  const against = (what: keyof Taken) => ({
    reference: of(bare, what),
    referenceName: "files read, JSON parsed",
  });
  return [
    measure({ name, ...compared("s", "seconds"), ...goal(GOAL_SECONDS) }),
    measure({ name, ...compared("s", "seconds"), ...against("seconds") }),
    measure({ name, ...compared("processor s", "processor"), ...against("processor") }),
    measure({ name: `peak memory of it`, ...compared("MB", "peakMb"), ...goal(GOAL_MB) }),
    measure({ name: `peak memory of it`, ...compared("MB", "peakMb"), ...against("peakMb") }),
  ];
}

function contentOf(night: number): BackupManifest["content"] {
  const tables = Array.from({ length: TABLES }, (_, n) => {
    const rows = n < CHANGING ? 1_000 + night : n;
    const hash = createHash("md5").update(`${n} ${rows}`).digest("hex");
    return { schema: "public", name: `table_${n}`, rows, hash };
  });
  return { databaseBytes: 1, tables, rows: 1, largeObjects: 0, extensions: [] };
}

async function bareListing(path: string): Promise<Taken> {
  const { stdout } = await execa(process.execPath, ["bench/bare-listing.ts", path], {
    env: await imageEnvironment(),
  });
  return JSON.parse(stdout) as Taken;
}

/** By a process of its own, which culls nothing. */
async function dryRun(path: string): Promise<Taken> {
  // Not the records of the rounds before.
  await rm(join(path, ".dormouse"), { recursive: true, force: true });
  await using culler = await startFunction("cull", {
    ...(await imageEnvironment()),
    ...cullEnvironment(path),
  });
  const before = await processorOf(culler.pid);
  const begun = performance.now();
  await cull(culler, { dryRun: true });
  const seconds = (performance.now() - begun) / 1000;
  const processor = (await processorOf(culler.pid)).own - before.own;
  return { seconds, processor, peakMb: await peakOf(culler.pid) };
}
