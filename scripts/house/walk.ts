import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../test/support/function-process.ts";
import type { TestServer } from "../../test/support/postgres.ts";
import { startRestoreCluster } from "../../test/support/restore-cluster.ts";
import { createSample } from "../../test/support/sample-database.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The files of ours in which a function ran, from the start of the process to its end. */
export type Walks = { readonly backup: readonly string[]; readonly restore: readonly string[] };

/** One backup, and one restore of it by swap with two workloads, in processes that note which functions ran (V8). */
export async function walk(server: TestServer): Promise<Walks> {
  // The bundles have one file each.
  delete process.env["DORMOUSE_TEST_DIST"];
  const folder = await mkdtemp(join(tmpdir(), "dormouse-house-"));
  const database = await server.createDatabase();
  const client = await server.connect(database);
  await createSample(client);
  await client.end();
  const covered = (name: string) => ({ NODE_V8_COVERAGE: join(folder, name), NODE_COMPILE_CACHE: "" });
  try {
    const backup = await startFunction("backup", {
      ...backupEnvironment(server, database, folder),
      ...covered("coverage-backup"),
    });
    const manifest = await manifestOf(await backup.post());
    await backup.end("SIGTERM");
    await using cluster = await startRestoreCluster();
    const restore = await startFunction("restore", {
      ...restoreEnvironment(server, database, folder),
      ...cluster.environment,
      ...covered("coverage-restore"),
    });
    const answer = await restore.post({ filename: manifest.name, strategy: "swap" });
    if (answer.status !== 200) throw new Error(await answer.text());
    await restore.end("SIGTERM");
    return {
      backup: await filesIn(join(folder, "coverage-backup")),
      restore: await filesIn(join(folder, "coverage-restore")),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Coverage = {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly startOffset: number; readonly count: number }[];
    }[];
  }[];
};

/** The whole of a module is its first function, without a name: it always runs. */
async function filesIn(folder: string): Promise<string[]> {
  const files = new Set<string>();
  for (const name of await readdir(folder)) {
    const { result } = JSON.parse(await readFile(join(folder, name), "utf8")) as Coverage;
    for (const { url, functions } of result) {
      if (!url.startsWith("file:")) continue;
      const path = relative(ROOT, fileURLToPath(url));
      const hasRun = functions.slice(1).some(({ ranges }) => ranges[0] !== undefined && ranges[0].count > 0);
      if (/^(?:functions|shared)\//.test(path) && hasRun) files.add(path);
    }
  }
  return [...files].toSorted();
}
