// The outage that a client sees while databases are swapped.
import { setTimeout as pause } from "node:timers/promises";
import type { RestoreResult } from "../functions/restore/journal/restore-result.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../test/support/function-process.ts";
import type { TestServer } from "../test/support/postgres.ts";
import { measure, type Measure } from "./measure.ts";

const OUTAGE_LIMIT_SECONDS = 2;

/** What a client misses that asks all the time and connects anew whenever it must. `database` is of about half a gigabyte. */
export async function outage(server: TestServer, database: string, folder: string): Promise<Measure> {
  await backUp(server, database, folder);
  await using restore = await startFunction("restore", restoreEnvironment(server, database, folder));
  const ended = new AbortController();
  const asking = longestSilence(server, database, ended.signal);
  const { downtimeMs } = await readResult(await restore.post({ filename: "latest" }));
  ended.abort();
  const ours = (await asking) / 1000;
  console.log(`outage of a swap: ${ours.toFixed(3)} s seen, ${(downtimeMs ?? 0) / 1000} s reported`);
  return measure({
    name: "outage of a swap, 0.5 GB",
    unit: "s",
    ours,
    reference: OUTAGE_LIMIT_SECONDS,
    referenceName: "limit",
    limit: 1,
  });
}

async function longestSilence(server: TestServer, database: string, ended: AbortSignal): Promise<number> {
  let longest = 0;
  let answered = performance.now();
  let client = await server.connect(database);
  while (!ended.aborted) {
    try {
      await client.query("SELECT 1");
      longest = Math.max(longest, performance.now() - answered);
      answered = performance.now();
      await pause(5);
    } catch {
      await pause(5);
      client = await server.connect(database).catch(() => client);
    }
  }
  await client.end();
  return longest;
}

async function backUp(server: TestServer, database: string, folder: string): Promise<void> {
  await using backup = await startFunction("backup", backupEnvironment(server, database, folder));
  await manifestOf(await backup.post());
}

async function readResult(answer: Response): Promise<RestoreResult> {
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(text);
  return JSON.parse(text) as RestoreResult;
}
