// Shows the main job on a throw-away PostgreSQL: the function as a real process, a ping as Knative sends it, a forced
// backup, the catalog that they leave, a restore that is taken back, two databases with a scheduled rehearsal, and a cull. Everything lies in temporary folders and is gone at the end.
// With --console the console shows what the restore has left, until Ctrl-C.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backup } from "../shared/catalog/backup.ts";
import type { CatalogListing } from "../shared/catalog/catalog.ts";
import type { Run } from "../shared/run/run.ts";
import { backupEnvironment, manifestOf, startFunction } from "../test/support/function-process.ts";
import { startPostgres, type OwnServer } from "../test/support/postgres.ts";
import { createSample } from "../test/support/sample-database.ts";
import { demoCull } from "./demo-cull.ts";
import { demoRestore } from "./demo-restore.ts";
import { demoConsole } from "./demo/console.ts";
import { demoBucket } from "./demo/bucket.ts";
import { demoSeveral } from "./demo/several.ts";

const DATABASE = "hets";
const SAMPLE_SCALE = 20;

async function main(server: OwnServer, folders: AsyncDisposableStack): Promise<void> {
  const backupDir = await mkdtemp(join(tmpdir(), "dormouse-demo-"));
  folders.defer(() => rm(backupDir, { recursive: true, force: true }));
  say(`PostgreSQL ${server.major} started on port ${server.port}, nothing but this demo uses it`);
  say(`database "${DATABASE}" filled with ${await fill(server)}`);

  await using backup = await startFunction("backup", backupEnvironment(server, DATABASE, backupDir));
  say(
    `backup function listening on ${backup.url} (${String(backup.lines[0]?.["startMs"])} ms from its start)`,
  );

  const ping = await backup.ping();
  say(`the daily ping was delivered as a CloudEvent and answered with ${ping.status}`);
  const { run } = await backup.logged("run succeeded");
  saySteps((await (await backup.get(`/runs/${String(run)}`)).json()) as Run);

  const forced = await manifestOf(await backup.post({ label: "before the upgrade", pin: true }));
  say(`a forced backup (POST /) was answered with its manifest: ${forced.name}`);
  const { backups } = (await (await backup.get("/")).json()) as CatalogListing;
  say(`the catalog (GET /) in ${backupDir}:`);
  console.log(tableOf(backups));
  say("restored without Dormouse by the command in each manifest:");
  console.log(`\n  ${forced.restoreByHand}\n`);

  await demoRestore({ server, database: DATABASE, backupDir, filename: forced.name, say, saySteps });

  if (process.argv.includes("--console")) {
    await demoConsole({ server, database: DATABASE, backupDir, say });
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "dormouse-demo-cull-"));
  folders.defer(() => rm(folder, { recursive: true, force: true }));
  await demoSeveral({ server, folder, say });
  await demoCull({ server, folder, say });
  await demoBucket({ server, folder, say });
}

async function fill(server: OwnServer): Promise<string> {
  await server.createDatabase(DATABASE);
  const client = await server.connect(DATABASE);
  try {
    await createSample(client, SAMPLE_SCALE);
    await client.query("ANALYZE");
    const { rows } = await client.query<{ size: string; tables: number }>(
      `SELECT pg_size_pretty(pg_database_size(current_database())) AS size, count(*)::int AS tables
       FROM pg_stat_user_tables`,
    );
    return `${rows[0]?.tables} tables, ${rows[0]?.size}`;
  } finally {
    await client.end();
  }
}

function saySteps(run: Run): void {
  let since = Date.parse(String(run.acceptedAt));
  for (const { step, at, detail } of run.steps) {
    const tookMs = Date.parse(String(at)) - since;
    since += tookMs;
    say(
      `  ${step.padEnd(9)} ${String(tookMs).padStart(5)} ms  ${detail === undefined ? "" : JSON.stringify(detail)}`,
    );
  }
}

function tableOf(backups: readonly Backup[]): string {
  const rows = backups.map(({ name, manifest, sizeBytes }) => [
    name,
    `${(sizeBytes / 1024).toFixed(0)} KiB`,
    `${manifest.content.rows}`,
    manifest.verification.level,
    manifest.pin === undefined ? "" : "pinned",
    manifest.label ?? "",
  ]);
  const all = [["backup", "size", "rows", "verified", "", "label"], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return `\n${lines.map((line) => `  ${line.trimEnd()}`).join("\n")}\n`;
}

function say(line: string): void {
  console.log(`${(performance.now() / 1000).toFixed(1).padStart(5)} s  ${line}`);
}

const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve("interrupted"));
});
const server = await startPostgres();
const folders = new AsyncDisposableStack();
const shown = main(server, folders);
let outcome: unknown;
try {
  outcome = await Promise.race([shown, interrupted]);
} finally {
  // Without the server, whatever is still at work ends; until then it needs its folder.
  await server[Symbol.asyncDispose]();
  await Promise.allSettled([shown]);
  await folders.disposeAsync();
}
if (outcome === "interrupted") process.exit(130);
say("server, function and folders are gone");
