import assert from "node:assert/strict";
import { execa } from "execa";
import { statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Files } from "../../shared/catalog/volume/files.ts";
import * as promises from "../../shared/catalog/volume/volume-calls.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { cullWith } from "../support/cull-with.ts";
import { cull, cullEnvironment, daysOf, fillVolume } from "../support/culled.ts";
import { fault } from "../support/failing-files.ts";
import { problemIn } from "../support/faulty.ts";
import { startFunction } from "../support/function-process.ts";
import { readContent, smallVolume, temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;

const start = (path: string) => startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2" }));

/** The real file system, of which one call fails once. Each has its own count: a failed listing may still be reading. */
function failingAt(call: "readdir" | "lstat" | "readRegular", failing: number, code: string) {
  let calls = 0;
  const files: Files = promises;
  const real = files[call] as (...args: unknown[]) => Promise<unknown>;
  const broken = (...args: unknown[]) => {
    calls += 1;
    return calls === failing ? fault(code) : real(...args);
  };
  return { files: { ...files, [call]: broken } as Files, isReached: () => calls >= failing };
}

describe("a cull whose volume fails", () => {
  for (const call of ["readdir", "lstat", "readRegular"] as const) {
    it(`removes nothing when the listing fails midway, at whatever ${call}`, async () => {
      await using volume = await temporaryVolume();
      await fillVolume(volume.path, 4);
      const before = await readContent(volume.path);

      let failures = 0;
      for (; ; failures++) {
        const listing = failingAt(call, failures + 1, "ETIMEDOUT");
        const listed = await volumeCatalog(volume.path, listing.files)
          .list(never)
          .then(
            () => true,
            () => false,
          );
        if (!listing.isReached()) break;
        assert.equal(listed, false);
        const { files } = failingAt(call, failures + 1, "ETIMEDOUT");
        await assert.rejects(cullWith(volume.path, files), { code: "catalog_unreadable" });
        assert.deepEqual(await readContent(volume.path), before, `${call} ${failures + 1}`);
      }
      assert.ok(failures >= 4, `${failures}`);
    });
  }

  for (const call of ["readdir", "lstat", "readRegular"] as const)
    it(`keeps what it keeps otherwise, wherever the disk has lost what ${call} asks for`, async () => {
      const kept = ["11-04", "11-03"];
      let [culls, isReached] = [0, true];
      for (let failing = 1; isReached; failing++) {
        await using volume = await temporaryVolume();
        await fillVolume(volume.path, 4);
        const listing = failingAt(call, failing, "EIO");
        const { removed } = await cullWith(volume.path, listing.files).catch(() => ({ removed: [] }));
        isReached = listing.isReached();
        culls += isReached && removed.length > 0 ? 1 : 0;
        const { backups } = await volume.catalog.list(never);
        assert.deepEqual(daysOf(backups).slice(0, 2), kept, `${call} ${failing}`);
      }
      assert.ok(culls > 0);
    });

  it("removes nothing while the record of another run cannot be read", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await writeFile(join(volume.path, ".dormouse/runs/restore-000000000000000000000000.json"), "{");
    await using culler = await start(volume.path);
    const before = await readContent(volume.path);

    const problem = await problemIn(culler.post());

    assert.deepEqual([problem.status, problem.code], [503, "catalog_unreadable"]);
    assert.deepEqual(await readContent(volume.path), before);
  });

  it("goes past what may not be removed, reports what went and what did not, and removes it when it is allowed", async () => {
    await using volume = await temporaryVolume();
    const backups = await fillVolume(volume.path, 6);
    const denied = `${backups[1]?.name}.json`;
    let isDenied = true;
    const unlink = (path: unknown) =>
      isDenied && String(path).endsWith(denied) ? fault("EACCES") : promises.unlink(path as string);

    const stopped = cullWith(volume.path, { unlink });
    await assert.rejects(stopped, (error: { code?: string; message?: string }) => {
      assert.equal(error.code, "volume_unwritable");
      assert.match(error.message ?? "", /stopped at 2025-11-02.*removed 3 of 4 \(2025-11-01/);
      return true;
    });
    const { backups: left, foreign } = await volume.catalog.list(never);
    isDenied = false;
    const rest = await cullWith(volume.path, { unlink });

    assert.deepEqual(daysOf(left), ["11-06", "11-05", "11-02"]);
    assert.deepEqual(foreign, []);
    assert.deepEqual(daysOf(rest.removed), ["11-02"]);
  });

  it("removes as many as one run may, however many before them may not be removed", async () => {
    await using volume = await temporaryVolume();
    const denied = (await fillVolume(volume.path, 8)).slice(0, 4).map(({ name }) => `${name}.json`);
    const unlink = (path: unknown) =>
      denied.some((name) => String(path).endsWith(name)) ? fault("EACCES") : promises.unlink(path as string);

    const stopped = cullWith(volume.path, { unlink }, 1);

    await assert.rejects(stopped, {
      code: "volume_unwritable",
      message: /and 3 more:.*removed 1 of 6 \(2025-11-05/,
    });
    const { backups } = await volume.catalog.list(never);
    assert.deepEqual(daysOf(backups), ["11-08", "11-07", "11-06", "11-04", "11-03", "11-02", "11-01"]);
  });

  it("leaves no backup without its archive when only the archive cannot be removed", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 5);
    const unlink = (path: unknown) =>
      String(path).endsWith(".bak") ? fault("EACCES") : promises.unlink(path as string);

    await assert.rejects(cullWith(volume.path, { unlink }), { code: "volume_unwritable" });

    const { backups, legacy, foreign } = await volume.catalog.list(never);
    assert.deepEqual(daysOf(backups), ["11-05", "11-04", "11-03", "11-02"]);
    // What lies there has the name and the content of a file of the old pod, or neither.
    assert.equal(legacy.length + foreign.length, 1);
  });

  it("believes no volume that says that it removes and does not", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);

    await assert.rejects(cullWith(volume.path, { unlink: async () => undefined }), {
      code: "volume_unwritable",
      message: /still there/,
    });
  });

  it("removes nothing from a volume that is read-only", async (test) => {
    await using volume = await smallVolume(test, "8m");
    if (volume === undefined) return;
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    await execa("mount", ["-o", "remount,ro", volume.path]);
    const before = await readContent(volume.path);

    const problem = await problemIn(culler.post());

    assert.deepEqual([problem.status, problem.code], [503, "volume_unwritable"]);
    assert.deepEqual(await readContent(volume.path), before);
  });

  it("makes room on a volume that has none left, not even for its record", async (test) => {
    await using volume = await smallVolume(test, "8m");
    if (volume === undefined) return;
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    // It listens before it is ready; then the reserve is there.
    await culler.get("/health/readiness");
    const { bavail, bsize } = await statfs(volume.path);
    await writeFile(join(volume.path, "filler"), Buffer.alloc(bavail * bsize));
    assert.equal((await statfs(volume.path)).bavail, 0);

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    await culler.logged("reserve file released");
  });
});
