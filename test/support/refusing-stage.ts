import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { ProblemDetails } from "../../shared/http/problem.ts";
import { problemIn } from "./faulty.ts";
import { startPostgres } from "./postgres.ts";
import { setRestoreStage } from "./restore-stage.ts";

/** A restore on a server of its own, whose refusals must leave every database as it was. */
export async function setRefusingStage(settings: Readonly<Record<string, string>> = {}) {
  const server = await startPostgres(settings);
  const stage = await setRestoreStage({ server });
  const restore = await stage.start();
  const archive = join(stage.path, stage.backup.name);
  const bytes = await readFile(archive);
  const manifest = await readFile(`${archive}.json`, "utf8");
  const allDatabases = async () => {
    const { rows } = await server.query(
      "postgres",
      "SELECT datname, datallowconn FROM pg_database ORDER BY 1",
    );
    return (rows as { datname: string; datallowconn: boolean }[]).map((row) => JSON.stringify(row));
  };
  const databases = await allDatabases();
  return {
    server,
    stage,
    restore,
    archive,
    bytes,
    /** The answer, once it is certain that nothing has changed. */
    async refusal(
      answer: Promise<Response> = restore.post({ filename: stage.backup.name }),
    ): Promise<ProblemDetails> {
      const problem = await problemIn(answer);
      assert.deepEqual(await stage.fingerprint(), stage.original);
      assert.deepEqual(await allDatabases(), databases);
      return problem;
    },
    /** Makes the manifest say something else. */
    async claim(change: (stated: BackupManifest) => Readonly<Record<string, unknown>>): Promise<void> {
      const stated = JSON.parse(manifest) as BackupManifest;
      await writeFile(`${archive}.json`, JSON.stringify({ ...stated, ...change(stated) }));
    },
    /** Archive and manifest are again what the backup wrote. */
    async mend(): Promise<void> {
      await rm(archive, { recursive: true, force: true });
      await writeFile(archive, bytes);
      await writeFile(`${archive}.json`, manifest);
    },
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

export type RefusingStage = Awaited<ReturnType<typeof setRefusingStage>>;
