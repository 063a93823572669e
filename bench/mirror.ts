// The mirror against `rclone copyto`: the same file to the same store, each after the other.
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Run } from "../shared/run/run.ts";
import {
  backupEnvironment,
  manifestOf,
  startFunction,
  type FunctionProcess,
} from "../test/support/function-process.ts";
import type { TestServer } from "../test/support/postgres.ts";
import {
  embeddedStore,
  givenStore,
  makeBucket,
  mirrorEnvironment,
  type Store,
  type TestBucket,
} from "../test/support/s3.ts";
import { imageEnvironment, measure, median, peakOf, type Measure } from "./measure.ts";
import type { Measured } from "./results.ts";

const ROUNDS = 3;
/** Above the 200 MiB up to which rclone sends a file in one piece. */
const MEGABYTES = 250;
const MEMORY_LIMIT_MB = 150;
const DATABASE = "noise";
/** A megabyte in a row that no compression makes small. */
const ROW = "SELECT n, pg_read_binary_file('/dev/urandom', 0, 1000000) FROM generate_series(1, $ROWS) n";

type Task = { readonly store: Store; readonly storeName: string };
type Rounds = { readonly ours: readonly Mirrored[]; readonly theirs: readonly number[] };

/** To a server of this process; and to the store of DORMOUSE_TEST_S3_ENDPOINT. `server` is given a database for it. */
export async function mirrors(server: TestServer, folder: string): Promise<Measured> {
  await using embedded = await embeddedStore();
  const given = givenStore();
  const tasks: Task[] = [
    { store: embedded, storeName: "s3rver" },
    ...(given === undefined ? [] : [{ store: given, storeName: await formatName(given) }]),
  ];
  const volume = join(folder, "mirrored");
  const { name } = await largeBackup(server, volume);
  const archive = join(volume, name);
  const size = `${Math.round((await stat(archive)).size / 1e6)} MB`;
  const reference = await rcloneVersion();

  const measures: Measure[] = [];
  let peakMb = 0;
  for (const task of tasks) {
    const rounds = await mirrorTo(server, { ...task, isCompared: reference !== undefined }, volume, archive);
    if (reference !== undefined) measures.push(speedOf(rounds, `${size}, ${task.storeName}`, reference));
    peakMb = Math.max(peakMb, ...rounds.ours.map((one) => one.peakMb));
  }
  const memory = measure({
    name: `peak memory of a mirror, ${size}`,
    unit: "MB",
    ours: peakMb,
    reference: MEMORY_LIMIT_MB,
    referenceName: "limit",
    limit: 1,
  });
  await server.dropDatabase(DATABASE);
  const notes = reference === undefined ? [NOT_COMPARED] : [];
  return { measures: [...measures, memory], notes };
}

const NOT_COMPARED =
  "The speed of the mirror was not compared: `rclone` is not installed (`apt-get install rclone`).";

/** What the store calls itself. */
async function formatName({ endpoint }: Store): Promise<string> {
  const { headers } = await fetch(endpoint, { method: "HEAD" });
  return headers.get("server") ?? new URL(endpoint).host;
}

/** Like `rclone v1.60.1`; `undefined` where it is not installed. */
async function rcloneVersion(): Promise<string | undefined> {
  const { failed, stdout } = await execa({ reject: false })`rclone version`;
  return failed ? undefined : stdout?.split("\n")[0];
}

async function mirrorTo(
  server: TestServer,
  { store, storeName, isCompared }: Task & { readonly isCompared: boolean },
  volume: string,
  archive: string,
): Promise<Rounds> {
  const [ours, theirs]: [Mirrored[], number[]] = [[], []];
  for (let round = 1; round <= ROUNDS; round++) {
    await using bucket = await makeBucket(store);
    if (isCompared) theirs.push(await byRclone(archive, bucket));
    ours.push(await byUs(server, volume, bucket));
    const compared = isCompared ? `rclone ${theirs.at(-1)?.toFixed(2)} s, ` : "";
    console.log(`mirror to ${storeName}: ${compared}ours ${shown(ours.at(-1))}`);
  }
  return { ours, theirs };
}

function speedOf({ ours, theirs }: Rounds, what: string, reference: string): Measure {
  return measure({
    name: `mirror, proved, ${what}`,
    unit: "s",
    ours: median(ours.map(({ seconds }) => seconds)),
    reference: median(theirs),
    referenceName: `${reference} copyto`,
    limit: 1,
  });
}

/** An archive of noise on the volume; its database is empty when this returns, so that the next dump takes no time. */
async function largeBackup(server: TestServer, volume: string) {
  await server.createDatabase(DATABASE);
  await mkdir(volume);
  await server.query(DATABASE, `CREATE TABLE noise AS ${ROW.replace("$ROWS", `${MEGABYTES}`)}`);
  await using backup = await startFunction("backup", backupEnvironment(server, DATABASE, volume));
  const manifest = await manifestOf(await backup.post());
  await server.query(DATABASE, "TRUNCATE noise");
  return manifest;
}

type Mirrored = { readonly seconds: number; readonly peakMb: number };
const shown = (one: Mirrored | undefined) => `${one?.seconds.toFixed(2)} s, ${one?.peakMb.toFixed(0)} MB`;

/** The mirror's part of a run that has the large backup to send, and the small ones of the rounds so far. */
async function byUs(server: TestServer, volume: string, bucket: TestBucket): Promise<Mirrored> {
  const environment = {
    ...(await imageEnvironment()),
    ...backupEnvironment(server, DATABASE, volume),
    ...mirrorEnvironment(bucket),
  };
  await using backup = await startFunction("backup", environment);
  await manifestOf(await backup.post());
  return { seconds: await mirroredSeconds(backup), peakMb: await peakOf(backup.pid) };
}

async function mirroredSeconds(backup: FunctionProcess): Promise<number> {
  const { run } = await backup.logged("run succeeded");
  const { steps } = (await (await backup.get(`/runs/${String(run)}`)).json()) as Run;
  const at = steps.findIndex(({ step }) => step === "mirrored");
  const [before, mirrored] = [steps[at - 1], steps[at]];
  if (before === undefined || mirrored === undefined)
    throw new Error(`not mirrored: ${JSON.stringify(steps)}`);
  return (Date.parse(String(mirrored.at)) - Date.parse(String(before.at))) / 1000;
}

async function byRclone(archive: string, { settings }: TestBucket): Promise<number> {
  // Of the surroundings only PATH: a foreign AWS_ variable would change what is measured.
  const env = {
    PATH: process.env["PATH"] ?? "",
    RCLONE_CONFIG: "/dev/null",
    RCLONE_S3_PROVIDER: "Other",
    RCLONE_S3_ENDPOINT: settings.endpoint ?? "",
    RCLONE_S3_REGION: settings.region ?? "",
    RCLONE_S3_FORCE_PATH_STYLE: "true",
    RCLONE_S3_ACCESS_KEY_ID: settings.credentials?.accessKeyId ?? "",
    RCLONE_S3_SECRET_ACCESS_KEY: settings.credentials?.secretAccessKey ?? "",
  };
  const begun = performance.now();
  await execa("rclone", ["copyto", archive, `:s3:${settings.bucket}/by-rclone`], { env, extendEnv: false });
  return (performance.now() - begun) / 1000;
}
