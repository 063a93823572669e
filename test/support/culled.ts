import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { archiveName } from "../../shared/catalog/archive-name.ts";
import type { Backup } from "../../shared/catalog/backup.ts";
import { toBackup } from "../../shared/catalog/backup.ts";
import { serialiseManifest } from "../../shared/catalog/manifest.ts";
import type { CullPlacesReport } from "../../functions/cull/cull-places.ts";
import { aManifest, type ManifestGiven } from "./backups.ts";
import type { FunctionProcess } from "./function-process.ts";

export const DAY_MS = 86_400_000;
/** One backup a day from here on lies in the past of the tests. */
export const FIRST_AT = new Date("2025-11-01T01:00:00Z");

/** The environment of a cull function: no word of a database server. */
export function cullEnvironment(
  backupDir: string,
  changes: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const path = process.env["PATH"] ?? "";
  return {
    PATH: path,
    BACKUP_DIR: backupDir,
    PORT: "0",
    SHUTDOWN_GRACE_SECONDS: "0",
    AUTH: "none",
    MIN_INTERVAL_MINUTES: "0",
    POD_NAMESPACE: "hets",
    // The backups of `fillVolume` are old.
    STALE_HOURS: "0",
    ...changes,
  };
}

/** Puts backups onto a volume, one a day and oldest first, without a database and without waiting for the disk. */
export async function fillVolume(
  path: string,
  count: number,
  given: (index: number) => ManifestGiven = () => ({}),
): Promise<readonly Backup[]> {
  const backups: Backup[] = [];
  for (let index = 0; index < count; index++) {
    const { startedAt = new Date(FIRST_AT.getTime() + index * DAY_MS), ...rest } = given(index);
    const database = rest.database ?? "hets";
    const name = rest.name ?? archiveName(database, startedAt);
    const { bytes = Buffer.from(`PGDMP ${name}`) } = rest;
    const manifest = aManifest({ sequence: index + 1, ...rest, database, startedAt, name, bytes });
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), bytes);
    await writeFile(join(path, `${name}.json`), serialiseManifest(manifest));
    backups.push(toBackup(manifest));
  }
  return backups;
}

export async function toReport(answer: Response | Promise<Response>): Promise<CullPlacesReport> {
  const response = await answer;
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as CullPlacesReport;
}

export async function cull(process: FunctionProcess, body: unknown = {}): Promise<CullPlacesReport> {
  return toReport(process.post(body));
}

/** The days of the names: `11-05`. */
export function daysOf(of: readonly { readonly name: string }[]): string[] {
  return of.map(({ name }) => name.slice(5, 10));
}
