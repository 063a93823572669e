import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { jsonLog } from "../../../shared/log.ts";
import { runFiles } from "../../../shared/run/run-files.ts";
import type { Run } from "../../../shared/run/run.ts";
import { sweepLeftovers } from "../../../shared/run/sweep-leftovers.ts";
import { fault, filesWith } from "../../support/failing-files.ts";
import { pieces, publish, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const startedAt = new Date("2026-11-22T01:00:30Z");
const run = "backup-0123456789abcdef01234567";
const draft = { database: "hets", run, startedAt };

describe("the sweep of what has no run", () => {
  it("removes what a killed process was writing beside the records, a day later, and no note that was written", async (test) => {
    await using volume = await temporaryVolume();
    const folder = join(volume.path, ".dormouse");
    await mkdir(join(folder, "runs"), { recursive: true });
    const { name } = await publish(volume.catalog, { startedAt });
    // No process has this number: the kernel's limit is below it.
    await writeFile(join(folder, `changing-${name.replace("/", "-")}`), `${hostname()} 4194999 some`);
    // Killed when it had taken the lock of a dead process out of the way.
    const killed = volumeCatalog(volume.path, filesWith({ unlink: () => fault("EIO") }));
    await assert.rejects(killed.mark(name, ({ verification }) => ({ verification }), never));
    for (const kind of ["retired", "acknowledged", "damaged", "bucket"])
      await writeFile(join(folder, `.tmp-${kind}-0123abcd`), "half");
    await writeFile(join(folder, "retired-hets.json"), "{}");
    const left = async () => (await readdir(folder)).filter((file) => file.startsWith(".tmp-")).length;
    const log = jsonLog(() => undefined);
    const runs = runFiles(volume.path, log);
    const trigger = { source: "test", id: "1" };
    const { run: own } = await runs.begin({ kind: "backup", database: "hets", trigger, request: {} });
    const sweep = () => sweepLeftovers({ catalog: volume.catalog, runs, log }, own, []);

    await sweep();
    assert.equal(await left(), 5);
    test.mock.timers.enable({ apis: ["Date"], now: Date.now() + 25 * 3_600_000 });
    await sweep();

    assert.deepEqual(await readdir(folder), ["retired-hets.json", "runs"]);
    assert.ok(await volume.catalog.find(name, never));
  });
});

describe("the sweep of what runs have left", () => {
  it("looks into each folder once where there is nothing to sweep", async () => {
    await using volume = await temporaryVolume();
    await mkdir(join(volume.path, ".dormouse", "runs"), { recursive: true });
    for (const hour of [1, 25, 49])
      await publish(volume.catalog, { startedAt: new Date(startedAt.getTime() + hour * 3_600_000) });
    const looks: string[] = [];
    const counting = async (path: string, options: object) => {
      looks.push(relative(volume.path, path));
      return readdir(path, options);
    };
    const catalog = volumeCatalog(volume.path, filesWith({ readdir: counting }));
    const runs = { find: async () => undefined };

    await sweepLeftovers({ catalog, runs, log: jsonLog(() => undefined) }, { id: run } as Run, []);

    const days = looks.filter((path) => path.startsWith("2026"));
    assert.deepEqual(days.toSorted(), ["2026-11-22", "2026-11-23", "2026-11-24"]);
  });
});

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
