// Dumps against `pg_dump | gzip`: the same database, each after the other. Run by itself it is about a server of its own,
// of whatever major it finds, and prints its measures.
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { newestRoot, withRoot } from "../scripts/root-folders.ts";
import { backupEnvironment, manifestOf, startFunction } from "../test/support/function-process.ts";
import { startPostgres, type OwnServer } from "../test/support/postgres.ts";
import { createSample } from "../test/support/sample-database.ts";
import { imageEnvironment, measure, median, peakOf, type Measure } from "./measure.ts";

/** About 0.92 MB of database each. */
export const [SMALL, LARGE] = [60, 600];
export const SETTINGS = { shared_buffers: "1GB", max_wal_size: "4GB" };
const DUMPS = 3;

type Dump = { readonly ms: number; readonly bytes: number };

/** Each after the other, so that a slow minute of the machine meets both. */
export async function dumps(server: OwnServer, folder: string): Promise<Measure[]> {
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
export async function backUp(server: OwnServer, database: string, folder: string) {
  await using backup = await startFunction("backup", {
    ...(await imageEnvironment()),
    ...backupEnvironment(server, database, folder),
  });
  const begun = performance.now();
  const manifest = await manifestOf(await backup.post());
  const dump = { ms: performance.now() - begun, bytes: manifest.archive.sizeBytes };
  return { dump, peakMb: await peakOf(backup.pid) };
}

export async function fill(server: OwnServer, name: string, scale: number): Promise<void> {
  await server.createDatabase(name);
  const client = await server.connect(name);
  await createSample(client, scale);
  await client.query("VACUUM ANALYZE");
  await client.end();
  console.log(`${name}: ${await sizeOf(server, name)}`);
}

export async function sizeOf(server: OwnServer, name: string): Promise<string> {
  const { rows } = await server.query(
    name,
    "SELECT pg_size_pretty(pg_database_size(current_database())) AS size",
  );
  return `database of ${(rows as { size: string }[])[0]?.size}`;
}

/** The same with zstd: against the newest major that `npm run test:matrix` has made a root folder of, if it is a newer one. */
export async function dumpsOfNewer(major: number): Promise<Measure[]> {
  const newest = newestRoot();
  if (newest === undefined || newest.major <= major) {
    console.log("no root folder of a newer PostgreSQL: dumps with zstd are left out (npm run test:matrix)");
    return [];
  }
  const { program, args, env } = withRoot(newest.root, "bench/dump.ts");
  const { stdout } = await execa(program, args, { env, stderr: "inherit" });
  const measures = JSON.parse(stdout.slice(stdout.lastIndexOf("\n") + 1)) as Measure[];
  return measures.map((each) => ({ ...each, name: `${each.name}, PostgreSQL ${newest.major}` }));
}

if (import.meta.main) {
  await using server = await startPostgres(SETTINGS);
  const folder = await mkdtemp(join(tmpdir(), "dormouse-bench-"));
  try {
    await fill(server, "large", LARGE);
    console.log(`\n${JSON.stringify(await dumps(server, folder))}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
