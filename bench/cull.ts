import { mkdir } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { cull, cullEnvironment, fillVolume } from "../test/support/culled.ts";
import { startFunction } from "../test/support/function-process.ts";
import { imageEnvironment, measure, median, peakOf, processorOf, type Measure } from "./measure.ts";

/** Backups on a volume, with so many tables in each manifest. */
const BACKUPS = 10_000;
const TABLES = 40;
const ROUNDS = 3;
const LIMIT_SECONDS = 1.5;
const LIMIT_MB = 120;

/** What passes, what of it is the processor's, and what it takes of memory. */
export async function culls(folder: string): Promise<Measure[]> {
  const { seconds, processor, peakMb } = await dryRuns(join(folder, "culled"));
  const what = `list, plan and dry run of ${BACKUPS} backups`;
  const limited = (name: string, unit: string, ours: number, reference: number) =>
    measure({ name, unit, ours, reference, referenceName: "limit", limit: 1 });
  return [
    limited(what, "s", seconds, LIMIT_SECONDS),
    limited(`processor time of it`, "s", processor, LIMIT_SECONDS * cpus().length),
    limited(`peak memory of it`, "MB", peakMb, LIMIT_MB),
  ];
}

/** Each by a process of its own, which culls nothing. */
async function dryRuns(path: string) {
  await mkdir(path, { recursive: true });
  const tables = Array.from({ length: TABLES }, (_, n) => ({
    schema: "public",
    name: `table_${n}`,
    rows: n,
  }));
  const content = { databaseBytes: 1, tables, rows: 1, largeObjects: 0, extensions: [] };
  await fillVolume(path, BACKUPS, () => ({ content }));
  const [passed, spent, peaks]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    await using culler = await startFunction("cull", {
      ...(await imageEnvironment()),
      ...cullEnvironment(path),
    });
    const before = await processorOf(culler.pid);
    const begun = performance.now();
    await cull(culler, { dryRun: true });
    passed.push((performance.now() - begun) / 1000);
    spent.push((await processorOf(culler.pid)).own - before.own);
    peaks.push(await peakOf(culler.pid));
  }
  return { seconds: median(passed), processor: median(spent), peakMb: Math.max(...peaks) };
}
