import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { TestContext } from "node:test";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { openVolume } from "../../shared/catalog/volume/open-volume.ts";
import type { VolumeCatalog } from "../../shared/catalog/catalog.ts";
import type { Backup } from "../../shared/catalog/backup.ts";
import { aManifest, type ManifestGiven } from "./backups.ts";

export type Removed = { readonly path: string; [Symbol.asyncDispose](): Promise<void> };

export async function temporaryFolder(): Promise<Removed> {
  const path = await mkdtemp(join(tmpdir(), "dormouse-volume-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** An empty volume with its catalog. */
export async function temporaryVolume(): Promise<Removed & { readonly catalog: VolumeCatalog }> {
  const folder = await temporaryFolder();
  await openVolume(folder.path);
  return { ...folder, catalog: volumeCatalog(folder.path) };
}

/** A file system of `size` (as mount says it), so that it can be full; skips the test where only root may mount. */
export async function smallVolume(test: TestContext, size: string): Promise<Removed | undefined> {
  const folder = await temporaryFolder();
  const { failed, stderr } = await execa(
    "mount",
    ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder.path],
    {
      reject: false,
    },
  );
  if (failed) {
    test.skip(`a small file system cannot be mounted here: ${stderr.split("\n", 1)[0]}`);
    await folder[Symbol.asyncDispose]();
    return undefined;
  }
  await openVolume(folder.path);
  return {
    path: folder.path,
    async [Symbol.asyncDispose]() {
      await execa("umount", ["-l", folder.path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Every file with its content: what must not change when something fails. Run records are told apart from backups. */
export async function readContent(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes("/.dormouse"));
  const contents = files.map(async ({ parentPath, name }): Promise<[string, string]> => {
    const path = join(parentPath, name);
    return [path.slice(folder.length + 1), await readFile(path, "base64")];
  });
  return Object.fromEntries((await Promise.all(contents)).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export async function* pieces(...chunks: readonly (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}

/** Puts a backup into a catalog without a database. */
export async function publish(catalog: VolumeCatalog, given: ManifestGiven = {}): Promise<Backup> {
  const bytes = given.bytes ?? Buffer.from("PGDMP");
  const startedAt = given.startedAt ?? new Date("2026-11-22T01:00:00Z");
  const draft = { database: given.database ?? "hets", run: "backup-0123456789abcdef01234567", startedAt };
  const staged = await catalog.stage(draft, pieces(bytes), new AbortController().signal);
  return staged.publish((name) => aManifest({ ...given, startedAt, bytes, name }));
}
