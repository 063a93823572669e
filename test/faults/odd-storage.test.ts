import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import type { Report } from "../../shared/doctor/finding.ts";
import { manifestOf } from "../support/function-process.ts";
import { preload, setStage } from "../support/faulty.ts";

/** What CIFS, vboxsf and some FUSE file systems answer, on each of which a backup is whole. */
const STORAGE = [
  ["hard links", { link: "EOPNOTSUPP" }, "good"],
  ["hard links, as vboxsf says it", { link: "EPERM" }, "good"],
  ["hard links, as mergerfs says it", { link: "EXDEV" }, "good"],
  ["fsync of a folder", { syncFolder: "EINVAL" }, "warning"],
  ["fsync of a folder, as some FUSE say it", { syncFolder: "ENOSYS" }, "warning"],
  ["chmod", { chmod: "EPERM" }, "good"],
] as const;

describe("storage that lacks what most have", () => {
  for (const [what, refused, state] of STORAGE) {
    it(`takes backups without ${what}, and the doctor says the same`, async () => {
      await using stage = await setStage();
      const changes = { ...preload("faults-preload.ts"), DORMOUSE_TEST_REFUSED: JSON.stringify(refused) };
      const backup = await stage.start(changes);

      const { sequence } = await manifestOf(await backup.post());
      const { findings } = (await (await backup.get("/doctor")).json()) as Report;

      assert.equal(sequence, 2);
      const volume = findings.filter(({ check }) => check === "volume");
      assert.deepEqual(
        volume.map((finding) => finding.state),
        [state],
        JSON.stringify(volume),
      );
    });
  }

  it("takes backups beside an old folder that the disk has lost, and lists them with it", async () => {
    await using stage = await setStage();
    const old = join(stage.path, "2019-01-05");
    await mkdir(old);
    const backup = await stage.start({ ...preload("faults-preload.ts"), DORMOUSE_TEST_LOST: old });

    const { name } = await manifestOf(await backup.post());
    const { backups, foreign } = (await (await backup.get("/")).json()) as CatalogListing;

    assert.equal(backups[0]?.name, name);
    assert.deepEqual(
      foreign.map(({ path, reason }) => [path, reason]),
      [["2019-01-05", "unreadable"]],
    );
  });

  it("is at fault in both where a file cannot be synced", async () => {
    await using stage = await setStage();
    const changes = {
      ...preload("faults-preload.ts"),
      DORMOUSE_TEST_REFUSED: JSON.stringify({ syncFile: "EIO" }),
    };
    const backup = await stage.start(changes);

    const answer = await backup.post();
    const { findings } = (await (await backup.get("/doctor")).json()) as Report;

    assert.equal(answer.status, 503);
    assert.equal(findings.find(({ check }) => check === "volume")?.state, "fault");
    await stage.assertUntouched();
  });
});
