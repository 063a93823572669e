import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { execa } from "execa";
import { preload, until } from "./faulty.ts";
import type { RestoreStage } from "./restore-stage.ts";
import { createSample } from "./sample-database.ts";

/** The stage's sample with one row of another content, in a database of its own that goes with the stage. */
export async function forgedDatabase({ server, database }: RestoreStage): Promise<string> {
  const forged = await server.createDatabase(`${database}_forged`);
  const client = await server.connect(forged);
  await createSample(client);
  await client.query("UPDATE hire.owner SET name = 'forged' WHERE id = 1");
  await client.end();
  return forged;
}

export async function dumpTo(
  { server }: RestoreStage,
  database: string,
  path: string,
  options: readonly string[] = ["--format=custom"],
): Promise<void> {
  const { host, port, user, password, binDir } = server;
  const env = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password };
  await mkdir(dirname(path), { recursive: true });
  await execa(`${binDir}/pg_dump`, [...options, `--file=${path}`, database], { env });
}

type Exchanged = {
  readonly filename: string;
  readonly strategy: "swap" | "in-place";
  readonly environment: Readonly<Record<string, string>>;
  readonly exchange: () => Promise<void>;
};

/** A restore that stands still from when its archive was found to be good until `exchange` is done; then what it loaded. */
export async function assertLoadsWhatWasVerified(
  stage: RestoreStage,
  { filename, strategy, environment, exchange }: Exchanged,
): Promise<void> {
  const point = strategy === "in-place" ? "phase loaded" : "step verified";
  const paused = { ...preload("records-preload.ts"), DORMOUSE_TEST_RECORD: `stop after ${point}` };
  const restore = await stage.start({ ...paused, RESTORE_JOBS: "3", ...environment });
  const answer = restore.post({ filename, strategy });
  let early: Response | undefined;
  void answer.then((response) => (early = response));
  const stands = async () => (await readFile(`/proc/${restore.pid}/stat`, "utf8")).includes(") T ");
  await until(async () => early !== undefined || (await stands()));
  assert.equal(early, undefined, await early?.text());
  await exchange();
  process.kill(restore.pid, "SIGCONT");
  await stage.readResult(answer);

  const sql = "SELECT name FROM hire.owner WHERE id = 1";
  assert.deepEqual((await stage.query(stage.database, sql)).rows, [{ name: "Owner 1" }]);
  assert.deepEqual(await stage.fingerprint(), stage.original);
  await restore.end("SIGTERM");
}
