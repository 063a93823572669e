import assert from "node:assert/strict";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { filesWith } from "../../support/failing-files.ts";
import { pieces, publish, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const startedAt = new Date("2026-11-22T01:00:30Z");
const run = "backup-0123456789abcdef01234567";
const draft = { database: "hets", run, startedAt };

describe("the sweep of a run", () => {
  it("sweeps while a cull removes folders and another sweep the same files", async () => {
    await using volume = await temporaryVolume();
    const { name } = await publish(volume.catalog, { startedAt });
    const emptied = join(volume.path, "2026-11-21");
    await mkdir(emptied);
    await volume.catalog.stage(draft, pieces("left"), never);
    const readdirBehind = async (path: string, options: object) => {
      if (path === emptied) await rm(emptied, { recursive: true, force: true });
      const found = await readdir(path, options);
      if (path.endsWith("2026-11-22")) await volume.catalog.sweep(run);
      return found;
    };

    await volumeCatalog(volume.path, filesWith({ readdir: readdirBehind })).sweep(run);

    const { backups, foreign } = await volume.catalog.list(never);
    assert.deepEqual([backups.map((backup) => backup.name), foreign], [[name], []]);
  });

  it("sweeps the temporary files of one run and of no other", async () => {
    await using volume = await temporaryVolume();
    const { name } = await publish(volume.catalog, { startedAt });
    await volume.catalog.stage(draft, pieces("mine"), never);
    await volume.catalog.stage(
      { ...draft, run: "backup-ffffffffffffffffffffffff" },
      pieces("another's"),
      never,
    );

    await volume.catalog.sweep(run);

    const { backups, foreign } = await volume.catalog.list(never);
    assert.deepEqual(
      backups.map((backup) => backup.name),
      [name],
    );
    assert.deepEqual(
      foreign.map(({ path }) => path.includes("ffffffff")),
      [true],
    );
  });
});
