import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cull, cullEnvironment, fillVolume } from "../test/support/culled.ts";
import { startFunction } from "../test/support/function-process.ts";
import { imageEnvironment, measure, median, peakOf, type Measure } from "./measure.ts";

/** Backups on a volume, with so many tables in each manifest. */
const [FEW, MANY] = [1_000, 10_000];
const TABLES = 40;
const ROUNDS = 3;

/** Linear is a ratio of 1: ten times the backups may take ten times as long, and ten times the memory besides Node's. */
export async function culls(folder: string): Promise<Measure[]> {
  const none = await dryRun(join(folder, "none"), 0);
  const few = await dryRun(join(folder, "few"), FEW);
  const many = await dryRun(join(folder, "many"), MANY);
  const [referenceName, limit, times] = [`${FEW}, times ${MANY / FEW}`, 1.3, MANY / FEW];
  return [
    measure({
      name: `list, plan and dry run of ${MANY} backups`,
      unit: "s",
      ours: many.ms / 1000,
      reference: (few.ms * times) / 1000,
      referenceName,
      limit,
    }),
    measure({
      name: `its memory beyond an empty volume's`,
      unit: "MB",
      ours: many.peakMb - none.peakMb,
      reference: (few.peakMb - none.peakMb) * times,
      referenceName,
      limit,
    }),
  ];
}

/** Each by a process of its own, which culls nothing. */
async function dryRun(path: string, count: number) {
  await mkdir(path, { recursive: true });
  const tables = Array.from({ length: TABLES }, (_, n) => ({
    schema: "public",
    name: `table_${n}`,
    rows: n,
  }));
  const content = { databaseBytes: 1, tables, rows: 1, largeObjects: 0, extensions: [] };
  await fillVolume(path, count, () => ({ content }));
  const times: number[] = [];
  let peakMb = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await using culler = await startFunction("cull", {
      ...(await imageEnvironment()),
      ...cullEnvironment(path),
    });
    const begun = performance.now();
    await cull(culler, { dryRun: true });
    times.push(performance.now() - begun);
    peakMb = Math.max(peakMb, await peakOf(culler.pid));
  }
  console.log(`${count} backups: ${Math.round(median(times))} ms, ${Math.round(peakMb)} MB`);
  return { ms: median(times), peakMb };
}
