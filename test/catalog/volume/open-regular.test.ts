import assert from "node:assert/strict";
import { mkdir, readdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { execa } from "execa";
import { openRegular, readWhole } from "../../../shared/catalog/volume/open-regular.ts";
import * as files from "../../../shared/catalog/volume/volume-calls.ts";
import { fault, filesWith } from "../../support/failing-files.ts";
import { temporaryVolume } from "../../support/volume.ts";

const RUN = "backup-0123456789abcdef01234567";
const DAY = "2026-11-22";

/** What may lie in the place of a file. A FIFO would keep its opener waiting for a writer. */
const IN_ITS_PLACE: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  nothing: async () => undefined,
  "a FIFO": (path) => execa("mkfifo", [path]),
  "a folder": (path) => mkdir(path),
  "a link to a file": async (path) => {
    await writeFile(`${path}.target`, "secret");
    await symlink(`${path}.target`, path);
  },
  "a link to a FIFO": async (path) => {
    await execa("mkfifo", [`${path}.target`]);
    await symlink(`${path}.target`, path);
  },
};

/** It takes no room on the disk, and would take all of a pod's memory. */
async function huge(path: string): Promise<void> {
  await writeFile(path, "");
  await truncate(path, 3 * 2 ** 30);
}

describe("what stands in the place of a regular file", () => {
  for (const [what, put] of Object.entries(IN_ITS_PLACE))
    it(`is neither followed nor waited for: ${what}`, { timeout: 60_000 }, async () => {
      await using volume = await temporaryVolume();
      const path = join(volume.path, "file");
      await put(path);

      assert.equal(await openRegular(files, path), undefined);
    });

  for (const [what, put] of Object.entries({ ...IN_ITS_PLACE, "a huge file": huge }).filter(
    ([name]) => name !== "nothing",
  ))
    it(`keeps no sweep from its end: ${what}`, { timeout: 60_000 }, async () => {
      await using volume = await temporaryVolume();
      await mkdir(join(volume.path, DAY));
      const temporary = `.tmp-${RUN}-00000000.backup.json`;
      await put(join(volume.path, DAY, temporary));

      await volume.catalog.sweep(RUN).catch((error: NodeJS.ErrnoException) => {
        // A folder is not removed: it is none of ours.
        assert.equal(what, "a folder");
        assert.match(error.code ?? "", /EISDIR|EPERM/);
      });

      const left: readonly string[] = await readdir(join(volume.path, DAY)).catch(() => []);
      assert.equal(left.includes(temporary), what === "a folder");
    });
});

it("a small file is read again when another client replaces it in between", async () => {
  await using volume = await temporaryVolume();
  const path = join(volume.path, "file");
  await writeFile(path, "new");
  let stale = 1;
  const readRegular: typeof files.readRegular = (...args) =>
    stale-- > 0 ? Promise.reject(Object.assign(new Error(), { code: "ESTALE" })) : files.readRegular(...args);

  assert.equal(await readWhole({ ...files, readRegular }, path), "new");

  it("is read if another process has made it while it was looked for", async () => {
    await using volume = await temporaryVolume();
    const path = join(volume.path, "file");
    const readRegular: typeof files.readRegular = async (...args) => {
      if ((await readdir(volume.path)).includes("file")) return files.readRegular(...args);
      await writeFile(path, "made");
      return fault("ENOENT");
    };

    assert.equal(await readWhole(filesWith({ readRegular }), path), "made");
  });
});
