import assert from "node:assert/strict";
import { execa } from "execa";
import { statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { manifestOf } from "../support/function-process.ts";
import { preload, problemIn, setStage } from "../support/faulty.ts";
import { smallVolume } from "../support/volume.ts";

/** Of the record and of the steps `locked` and `inspected`, each file and folder. */
const SYNCS_BEFORE_ARCHIVE = 6;

describe("a backup whose volume fails", () => {
  it("refuses to begin on a volume that is full", async (test) => {
    await using volume = await smallVolume(test, "32m");
    if (volume === undefined) return;
    await using stage = await setStage({ path: volume.path });
    const backup = await stage.start();
    const remove = await fill(volume.path, 4 << 20);

    const problem = await problemIn(backup.post());
    await remove();

    assert.deepEqual([problem.status, problem.code], [503, "disk_full"]);
    await stage.assertUntouched();
  });

  it("fails when the volume fills up in the middle, and makes a backup when there is room again", async (test) => {
    await using volume = await smallVolume(test, "32m");
    if (volume === undefined) return;
    await using stage = await setStage({ path: volume.path });
    const { backup, answer, release } = await stage.startHeld();
    const remove = await fill(volume.path, 64 << 10);
    await release();

    const problem = await problemIn(answer);
    await remove();

    assert.deepEqual([problem.status, problem.code], [503, "disk_full"]);
    await stage.assertUntouched();
    assert.equal((await manifestOf(await backup.post())).sequence, 2);
  });

  for (const [code, expected] of [
    ["ENOSPC", "disk_full"],
    ["EIO", "volume_unwritable"],
  ] as const) {
    it(`publishes nothing when fsync of the archive fails with ${code}`, async () => {
      await using stage = await setStage();
      const fault = `${code}@sync:${SYNCS_BEFORE_ARCHIVE + 1}`;
      const changes = { ...preload("faults-preload.ts"), DORMOUSE_TEST_FAULT: fault };
      const backup = await stage.start(changes);

      const problem = await problemIn(backup.post());

      assert.deepEqual([problem.status, problem.code], [503, expected]);
      assert.match(problem.detail, /archive/);
      await stage.assertUntouched();
    });
  }

  it("says that the volume is read-only, at a request and at the start", async (test) => {
    await using volume = await smallVolume(test, "32m");
    if (volume === undefined) return;
    await using stage = await setStage({ path: volume.path });
    const backup = await stage.start();
    await execa("mount", ["-o", "remount,ro", volume.path]);

    const problem = await problemIn(backup.post());

    assert.deepEqual([problem.status, problem.code], [503, "volume_unwritable"]);
    await stage.assertUntouched();
    await assert.rejects(stage.start(), /BACKUP_DIR/);
  });
});

/** Fills a file system but for `leaveBytes`; returns how to free it again. */
async function fill(folder: string, leaveBytes: number): Promise<() => Promise<void>> {
  const { bavail, bsize } = await statfs(folder);
  const filler = join(folder, ".dormouse", "filler");
  await writeFile(filler, Buffer.alloc(bavail * bsize - leaveBytes));
  return async () => {
    await writeFile(filler, "");
  };
}
