// Dumps and loads beside the tools themselves, in turns: the old pod's pipeline, pg_dump and pg_restore as they are, and ours.
// Run by itself it is about a server of its own, of whatever major it finds, and prints what came of it as JSON.
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { RestoreResult } from "../functions/restore/journal/restore-result.ts";
import type { Run } from "../shared/run/run.ts";
import { allRoots, withRoot } from "../scripts/root-folders.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../test/support/function-process.ts";
import { startPostgres, type OwnServer } from "../test/support/postgres.ts";
import { fill, LARGE, SETTINGS } from "./large-database.ts";
import { imageEnvironment, median, processorOf, type Measure } from "./measure.ts";
import { measuresOf, type Compared, type Spent, type Way } from "./tool-measures.ts";

const ROUNDS = Number(process.env["DORMOUSE_BENCH_ROUNDS"] ?? 5);
const JOBS = 2;
const DATABASE = "large";

type Ways = Readonly<Record<string, () => Promise<Spent>>>;

type ToolResults = { readonly compared: Compared; readonly measures: readonly Measure[] };

/** Of `server`, then of every other major that has a root folder. */
export async function againstTools(server: OwnServer, folder: string): Promise<ToolResults[]> {
  const results = [await compareTools(server, folder)];
  const others = allRoots().filter(({ major }) => major !== server.major);
  if (others.length === 0)
    console.log("no root folder of another PostgreSQL (npm run test:matrix): left out");
  for (const { root } of others) {
    const { program, args, env } = withRoot(root, "bench/tools.ts");
    const { stdout } = await execa(program, args, { env, stderr: "inherit" });
    results.push(JSON.parse(stdout.slice(stdout.lastIndexOf("\n") + 1)) as ToolResults);
  }
  return results;
}

async function compareTools(server: OwnServer, folder: string): Promise<ToolResults> {
  const at = (name: string) => join(folder, name);
  const isNew = server.major >= 16;
  const ours = isNew ? "zstd:1" : "1";
  let plainBytes = 0;
  let archive = "";
  const dumps = await inTurns(server.major, {
    "pg_dump | gzip (the old pod)": () =>
      byShell(server, '"$0/pg_dump" large | gzip > "$1"', at("old.sql.gz")),
    "pg_dump -Fc": () => byShell(server, '"$0/pg_dump" -Fc -f "$1" large', at("default.dump")),
    ...(isNew && {
      "pg_dump -Fc -Z zstd:5": () =>
        byShell(server, '"$0/pg_dump" -Fc -Z zstd:5 -f "$1" large', at("zstd5.dump")),
    }),
    [`pg_dump -Fc -Z ${ours}`]: () =>
      byShell(server, `"$0/pg_dump" -Fc -Z ${ours} -f "$1" large`, at("raw.dump")),
    "pg_dump -Fc -Z0 to nowhere": () => byShell(server, '"$0/pg_dump" -Fc -Z0 large > /dev/null'),
    "Dormouse, verified": async () => {
      await rm(at("volume"), { recursive: true, force: true });
      const taken = await backUp(server, at("volume"));
      ({ plainBytes, archive } = taken);
      return taken.spent;
    },
  });
  const loads = await loadInTurns(server, at, archive);
  const compared = { major: server.major, dumps, loads };
  return { compared, measures: measuresOf(compared, plainBytes) };
}

async function loadInTurns(server: OwnServer, at: (name: string) => string, archive: string): Promise<Way[]> {
  const load = '"$0/pg_restore" -e -j ' + `${JOBS} -d by_hand "$1"`;
  const alone: Spent[] = [];
  const ways = await inTurns(server.major, {
    "gunzip | psql (the old pod)": () =>
      byHand(
        server,
        'gunzip -c "$1" | "$0/psql" -qXo /dev/null -v ON_ERROR_STOP=1 by_hand',
        at("old.sql.gz"),
      ),
    [`pg_restore -j${JOBS}`]: () => byHand(server, load, at("raw.dump")),
    [`pg_restore -j${JOBS} of our archive`]: () => byHand(server, load, archive),
    ...(await restoring(server, at("volume"), alone)),
  });
  return [...ways, middleOf("Dormouse, the load of it alone", alone)];
}

/**
 * Each after the other, so that a slow minute of the machine meets all, and every second round from the last to the
 * first: what one leaves to the server (pages to write, a checkpoint) meets its neighbours on both sides.
 */
async function inTurns(major: number, ways: Ways): Promise<Way[]> {
  const spent = new Map<string, Spent[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = 1; round <= ROUNDS; round++) {
    const order = Object.entries(ways);
    for (const [name, work] of round % 2 === 1 ? order : order.toReversed()) {
      const each = await work();
      spent.get(name)?.push(each);
      console.log(`PostgreSQL ${major}, round ${round}, ${name}: ${each.seconds.toFixed(1)} s`);
    }
  }
  return [...spent].map(([name, all]) => middleOf(name, all));
}

function middleOf(name: string, all: readonly Spent[]): Way {
  const middle = (pick: (one: Spent) => number) => median(all.map(pick));
  return {
    name,
    seconds: middle(({ seconds }) => seconds),
    server: middle(({ server }) => server),
    tools: middle(({ tools }) => tools),
    ours: middle(({ ours }) => ours),
    ...(all[0]?.bytes === undefined ? {} : { bytes: middle(({ bytes = 0 }) => bytes) }),
  };
}

/** `$0` is the folder of the client tools, `$1` the file. */
async function byShell(server: OwnServer, script: string, path?: string): Promise<Spent> {
  const { host, port, user, password, binDir } = server;
  const env = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password };
  const spent = await metered(server, process.pid, () =>
    execa("sh", ["-c", script, binDir, path ?? ""], { env }),
  );
  const bytes = path === undefined ? undefined : (await stat(path)).size;
  return { ...spent, ours: 0, ...(bytes === undefined ? {} : { bytes }) };
}

async function byHand(server: OwnServer, script: string, path: string): Promise<Spent> {
  await server.createDatabase("by_hand");
  try {
    return await byShell(server, script, path);
  } finally {
    await server.dropDatabase("by_hand");
  }
}

async function backUp(server: OwnServer, volume: string) {
  await execa("mkdir", ["-p", volume]);
  await using backup = await startFunction("backup", {
    ...(await imageEnvironment()),
    ...backupEnvironment(server, DATABASE, volume),
  });
  let manifest: Awaited<ReturnType<typeof manifestOf>> | undefined;
  const spent = await metered(
    server,
    backup.pid,
    async () => (manifest = await manifestOf(await backup.post())),
  );
  if (manifest === undefined) throw new Error("no manifest");
  const { plainBytes, sizeBytes } = manifest.archive;
  return { spent: { ...spent, bytes: sizeBytes }, plainBytes, archive: join(volume, manifest.name) };
}

/** A restore beside the live database, whole, and into `alone` the load of it; and a rehearsal, which reads all values back. */
async function restoring(server: OwnServer, volume: string, alone: Spent[]): Promise<Ways> {
  const environment = { ...(await imageEnvironment()), ...restoreEnvironment(server, DATABASE, volume) };

  async function restored(into: string) {
    await using restore = await startFunction("restore", environment);
    let run = "";
    const spent = await metered(server, restore.pid, async () => {
      const answer = await restore.post({ filename: "latest", into });
      if (answer.status !== 200) throw new Error(await answer.text());
      ({ run } = (await answer.json()) as RestoreResult);
    });
    const { steps } = (await (await restore.get(`/runs/${run}`)).json()) as Run;
    return { spent, steps };
  }

  return {
    "Dormouse, verified, analyzed, counted": async () => {
      const { spent, steps } = await restored("by_dormouse");
      await server.dropDatabase("by_dormouse");
      const at = (name: string) => Date.parse(String(steps.find(({ step }) => step === name)?.at));
      alone.push({ ...spent, seconds: (at("loaded") - at("verified")) / 1000 });
      return spent;
    },
    "rehearsal by Dormouse, all values compared": async () => (await restored("scratch")).spent,
  };
}

/** Backends are children of the server that it has seen end, and client tools those of `pid`. */
async function metered(server: OwnServer, pid: number, work: () => Promise<unknown>): Promise<Spent> {
  const [serverBefore, before] = [await processorOf(server.pid()), await processorOf(pid)];
  const begun = performance.now();
  await work();
  const seconds = (performance.now() - begun) / 1000;
  const [serverAfter, after] = [await processorOf(server.pid()), await processorOf(pid)];
  return {
    seconds,
    server: serverAfter.own + serverAfter.children - serverBefore.own - serverBefore.children,
    tools: after.children - before.children,
    ours: after.own - before.own,
  };
}

if (import.meta.main) {
  await using server = await startPostgres(SETTINGS);
  const folder = await mkdtemp(join(tmpdir(), "dormouse-bench-"));
  try {
    await fill(server, DATABASE, LARGE);
    console.log(`\n${JSON.stringify(await compareTools(server, folder))}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
