import { readFile } from "node:fs/promises";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import type { ProblemDetails } from "../../shared/http/problem.ts";
import { backedUpSample } from "./backed-up.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "./function-process.ts";
import { sharedServer, type TestServer } from "./postgres.ts";
import { readContent } from "./volume.ts";

/** A database with something in it, a volume that has one good backup of it, and functions to be broken. */
export type Stage = {
  readonly server: TestServer;
  readonly database: string;
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
  start(changes?: Readonly<Record<string, string>>): Promise<FunctionProcess>;
  /** A function whose pg_dump waits for a table that `holder` keeps locked. */
  startHeld(changes?: Readonly<Record<string, string>>): Promise<Held>;
  /** Fails unless every file of the catalog is, byte for byte, what it was when the stage was set. */
  assertUntouched(): Promise<void>;
  /** The same, but for temporary files, which count as nothing. */
  assertUntouchedButTemporary(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

type Held = {
  readonly backup: FunctionProcess;
  readonly answer: Promise<Response>;
  readonly release: () => Promise<void>;
};

type Given = { readonly server?: TestServer; readonly path?: string };

export async function setStage(given: Given = {}): Promise<Stage> {
  const server = given.server ?? (await sharedServer());
  const sample = await backedUpSample(server, { path: given.path });
  const { database, path } = sample;
  const environment = backupEnvironment(server, database, path);
  const started: FunctionProcess[] = [];

  async function start(changes: Readonly<Record<string, string>> = {}): Promise<FunctionProcess> {
    const backup = await startFunction("backup", { ...environment, ...changes });
    started.push(backup);
    return backup;
  }

  async function startHeld(changes: Readonly<Record<string, string>> = {}): Promise<Held> {
    const backup = await start(changes);
    const holder = await server.connect(database);
    await holder.query("BEGIN; LOCK TABLE hire.owner IN ACCESS EXCLUSIVE MODE");
    const answer = backup.post();
    answer.catch(() => undefined);
    await dumpWaits(server, database);
    return { backup, answer, release: () => end(holder) };
  }

  const before = await readContent(path);

  return {
    server,
    database,
    path,
    environment,
    start,
    startHeld,
    assertUntouched: async () => assert.deepEqual(await readContent(path), before),
    async assertUntouchedButTemporary() {
      const files = Object.entries(await readContent(path)).filter(([name]) => !name.includes("/.tmp-"));
      assert.deepEqual(Object.fromEntries(files), before);
    },
    async [Symbol.asyncDispose]() {
      for (const backup of started) await backup[Symbol.asyncDispose]();
      // Its server may have been stopped.
      await sample[Symbol.asyncDispose]().catch(() => undefined);
    },
  };
}

/** The `NODE_OPTIONS` that load a module of this folder into a function. */
export function preload(
  file:
    | "faults-preload.ts"
    | "clock-preload.ts"
    | "records-preload.ts"
    | "silent-volume-preload.ts"
    | "queue-proxy-preload.ts"
    | "reading-preload.ts",
): {
  readonly NODE_OPTIONS: string;
} {
  return { NODE_OPTIONS: `--import=${fileURLToPath(new URL(file, import.meta.url))}` };
}

export async function problemIn(answer: Response | Promise<Response>): Promise<ProblemDetails> {
  const response = await answer;
  assert.equal(response.headers.get("content-type"), "application/problem+json; charset=utf-8");
  const problem = (await response.json()) as ProblemDetails;
  assert.equal(problem.status, response.status);
  return problem;
}

export async function listingOf(backup: FunctionProcess): Promise<CatalogListing> {
  return (await (await backup.get("/")).json()) as CatalogListing;
}

/** Fails unless each archive hashes to what its manifest says. */
export async function assertWhole(path: string, backups: CatalogListing["backups"]): Promise<void> {
  const content = await readContent(path);
  for (const { name, manifest } of backups) {
    const bytes = Buffer.from(content[name] ?? "", "base64");
    assert.equal(createHash("sha256").update(bytes).digest("hex"), manifest.archive.sha256, name);
  }
}

/** Of a busy machine; the test runner, which ends a test later, does not say for what it waited. */
const PATIENCE_MS = 5 * 60_000;

/** Waits until a condition holds. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await holds()); await pause(20)) {
    if (Date.now() > end) throw new Error(`never came true: ${holds.toString()}`);
  }
}

const WAITING_DUMP = `SELECT pid FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LOCK TABLE%'`;

async function dumpWaits(server: TestServer, database: string): Promise<void> {
  const sql = `${WAITING_DUMP} AND wait_event_type = 'Lock'`;
  await until(async () => (await server.query("postgres", sql, [database])).rows.length > 0);
}

/** One that stops itself is not asleep yet when its record is there: it must not be woken before. */
export async function wake(pid: number): Promise<void> {
  await until(async () => (await readFile(`/proc/${pid}/stat`, "utf8")).includes(") T "));
  process.kill(pid, "SIGCONT");
}

/** The sessions of pg_dump on the server. */
export async function dumpSessions({
  server,
  database,
}: Pick<Stage, "server" | "database">): Promise<readonly number[]> {
  const { rows } = await server.query("postgres", WAITING_DUMP, [database]);
  return (rows as { pid: number }[]).map(({ pid }) => pid);
}

async function end(client: pg.Client): Promise<void> {
  await client.end();
}
