// A large database through backup, mirror, swap and undo, by functions that have the memory which their manifests give them:
// `npm run bench -- huge`.
import { mkdir, readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";
import type { BackupManifest } from "../shared/catalog/manifest.ts";
import type { Run } from "../shared/run/run.ts";
import {
  backupEnvironment,
  restoreEnvironment,
  startFunction,
  type FunctionProcess,
} from "../test/support/function-process.ts";
import type { OwnServer } from "../test/support/postgres.ts";
import { embeddedStore, makeBucket, mirrorEnvironment } from "../test/support/s3.ts";
import { sizeOf } from "./large-database.ts";
import { imageEnvironment, measure, type Measure } from "./measure.ts";
import { watchMemory } from "./process-tree.ts";
import type { Measured } from "./results.ts";

const DATABASE = "huge";
const GIGABYTES = 10;
const LARGE_TABLES = 4;
const SMALL_TABLES = 5_000;
/** Rows that no compression makes small. */
const ROW_BYTES = 8_000;
/** The database, loaded once more, its archive, and that in the bucket, for a while in parts as well. */
const ROOM = 4.5;
const LOOK_EVERY_MS = 500;
/** What pg_restore reads of a large archive for the rows of its last table, where it knows where they begin. */
const READ_LIMIT_MB = 64;

/** Seconds by the step that they led to. */
type Seconds = Readonly<Record<string, number>>;
type HugeTimes = { readonly size: string; readonly backup: Seconds; readonly restore: Seconds };

export async function huge(server: OwnServer, folder: string): Promise<Measured> {
  await refuseWithoutRoom(folder);
  await fillHuge(server);
  const size = await sizeOf(server, DATABASE);
  console.log(`huge: ${size}, ${SMALL_TABLES} small tables`);
  const volume = join(folder, "huge");
  await mkdir(volume);
  const taken = await backUp(server, volume);
  const restored = await restoreAndUndo(server, volume);
  const times: HugeTimes = { size, backup: taken.seconds, restore: restored.seconds };
  console.log(JSON.stringify(times));
  await server.dropDatabase(DATABASE);
  const memory = async (name: "backup" | "restore", ours: number) =>
    atMost(`peak memory of ${name} and its tools, ${size}`, "MB", ours, await limitOf(name));
  const measures: Measure[] = [
    await memory("backup", taken.peakMb),
    await memory("restore", restored.peakMb),
    atMost(`read of the archive for its last table, ${size}`, "MB", taken.readMb, READ_LIMIT_MB),
  ];
  return { times, measures };
}

async function refuseWithoutRoom(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const [free, needed] = [(bavail * bsize) / 1e9, GIGABYTES * ROOM];
  if (free < needed)
    throw new Error(`${folder} has ${free.toFixed(0)} GB, and ${needed.toFixed(0)} are needed`);
}

async function fillHuge(server: OwnServer): Promise<void> {
  await server.createDatabase(DATABASE);
  const rows = Math.ceil((GIGABYTES * 1e9) / LARGE_TABLES / ROW_BYTES);
  for (let table = 1; table <= LARGE_TABLES; table++)
    await server.query(
      DATABASE,
      `CREATE TABLE large_${table} (id int PRIMARY KEY, noise bytea);
       ALTER TABLE large_${table} ALTER noise SET STORAGE EXTERNAL;
       INSERT INTO large_${table} SELECT n, pg_read_binary_file('/dev/urandom', 0, ${ROW_BYTES})
         FROM generate_series(1, ${rows}) n`,
    );
  // Not in one transaction, which would hold more locks than a server has.
  await server.query(
    DATABASE,
    `DO $$ BEGIN FOR n IN 1..${SMALL_TABLES} LOOP
       EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, name text)', n);
       EXECUTE format('INSERT INTO small_%s SELECT g, md5(g::text) FROM generate_series(1, 50) g', n);
       COMMIT;
     END LOOP; END $$`,
  );
}

async function backUp(server: OwnServer, volume: string) {
  await using store = await embeddedStore();
  await using bucket = await makeBucket(store);
  await using backup = await startFunction("backup", {
    ...(await imageEnvironment()),
    ...backupEnvironment(server, DATABASE, volume),
    ...mirrorEnvironment(bucket),
  });
  await using memory = watchMemory(backup.pid);
  const run = await ended(backup, {});
  const { name, archive } = run.result as BackupManifest;
  if (archive.offsets !== true) throw new Error("the archive has no offsets");
  return {
    seconds: secondsOf(run, ["dumped", "verified", "mirrored"]),
    readMb: await readForLastTable(server, join(volume, name)),
    peakMb: memory.peakMb(),
  };
}

/** proc(5): what a shell has read counts what its children have, once they have ended. */
async function readForLastTable({ binDir }: OwnServer, archive: string): Promise<number> {
  const script = '"$0/pg_restore" -a -t "$1" -f /dev/null "$2" && cat /proc/$$/io';
  const { stdout } = await execa("sh", ["-c", script, binDir, `small_${SMALL_TABLES}`, archive]);
  return Number(/^rchar: (\d+)/m.exec(stdout)?.[1]) / 1e6;
}

async function restoreAndUndo(server: OwnServer, volume: string) {
  await using restore = await startFunction("restore", {
    ...(await imageEnvironment()),
    ...restoreEnvironment(server, DATABASE, volume),
  });
  await using memory = watchMemory(restore.pid);
  const swap = await ended(restore, { filename: "latest" });
  const begun = performance.now();
  await ended(restore, { undo: swap.id });
  return {
    seconds: {
      ...secondsOf(swap, ["verified", "loaded", "compared", "swapped"]),
      undone: (performance.now() - begun) / 1000,
    },
    peakMb: memory.peakMb(),
  };
}

/** No connection waits for as long as this takes. */
async function ended(process: FunctionProcess, body: unknown): Promise<Run> {
  const accepted = await process.post(body, { prefer: "respond-async" });
  const { run: id } = (await accepted.json()) as { readonly run: string };
  for (;;) {
    const run = (await (await process.get(`/runs/${id}`)).json()) as Run;
    if (run.state === "succeeded") return run;
    if (run.finishedAt !== undefined) throw new Error(JSON.stringify(run.problem));
    await pause(LOOK_EVERY_MS);
  }
}

/** From the step before to each of these. */
function secondsOf({ steps }: Run, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    names.map((name) => {
      const at = steps.findIndex(({ step }) => step === name);
      const [before, found] = [steps[at - 1], steps[at]];
      if (before === undefined || found === undefined)
        throw new Error(`no ${name}: ${JSON.stringify(steps)}`);
      return [name, (Date.parse(String(found.at)) - Date.parse(String(before.at))) / 1000];
    }),
  );
}

/** In MB. */
async function limitOf(name: "backup" | "restore"): Promise<number> {
  const yaml = await readFile(`manifests/base/${name}.yaml`, "utf8");
  const [, amount, unit] = /limits: \{.*memory: (\d+)(Mi|Gi)/.exec(yaml) ?? [];
  return Number(amount) * (unit === "Gi" ? 1024 : 1);
}

function atMost(name: string, unit: string, ours: number, limit: number): Measure {
  return measure({ name, unit, ours, reference: limit, referenceName: "limit", limit: 1 });
}
