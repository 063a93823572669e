import assert from "node:assert/strict";
import { chmod, chown, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { aManifest } from "../support/backups.ts";
import { daysOf, fillVolume, FIRST_AT, DAY_MS } from "../support/culled.ts";
import { temporaryVolume } from "../support/volume.ts";

const NOBODY = 65_534;
const DUMP = gzipSync(
  "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 12.1\nSET x = 1;\n--\n-- PostgreSQL database dump complete\n--\n",
);

/** A volume of another user, with what root keeps to itself; only root can make it. */
async function foreignVolume(test: TestContext) {
  if (process.getuid?.() !== 0) {
    test.skip("only root can give files to another user");
    return undefined;
  }
  const volume = await temporaryVolume();
  await fillVolume(volume.path, 4);
  await execa("chown", ["-R", `${NOBODY}:${NOBODY}`, volume.path]);
  return volume;
}

/** The cull of the volume as that user, in a process of its own: the plan and what was done, or the error. */
async function cullAsNobody(path: string, environment: Readonly<Record<string, string>> = {}) {
  const child = new URL("../support/cull-once.ts", import.meta.url).pathname;
  const { stdout } = await execa(process.execPath, [child], {
    env: { BACKUP_DIR: path, NUM_BACKUPS: "2", ...environment, DORMOUSE_TEST_UID: `${NOBODY}` },
  });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as {
    readonly error?: { readonly code: string; readonly message: string };
    readonly report?: {
      readonly removed: readonly { readonly name: string }[];
      readonly refused: readonly { readonly rule: string; readonly detail: string }[];
      readonly adoption?: {
        readonly adopted: readonly string[];
        readonly failed: readonly { readonly name: string; readonly why: string }[];
      };
    };
    readonly foreign: readonly { readonly path: string; readonly reason: string; readonly detail: string }[];
    readonly events: readonly string[];
  };
}

describe("what another user keeps to itself on the volume", () => {
  it("is reported with its owner, and stops nothing if it can hide no newer backup", async (test) => {
    const volume = await foreignVolume(test);
    if (volume === undefined) return;
    await using _ = volume;
    await mkdir(join(volume.path, "2019-03-19"), { mode: 0o755 });
    await writeFile(join(volume.path, "2019-03-19/hets2019-03-19-01-00.bak"), DUMP, { mode: 0o600 });
    await mkdir(join(volume.path, "2018-01-01"), { mode: 0o700 });
    await mkdir(join(volume.path, "2019-03-19/hets2019-03-19-02-00.bak"));
    await symlink("/etc/shadow", join(volume.path, "2019-03-19/hets2019-03-19-03-00.bak"));
    await execa("mkfifo", [join(volume.path, "2019-03-19/hets2019-03-19-04-00.bak")]);

    const { report, foreign, error } = await cullAsNobody(volume.path);

    assert.equal(error, undefined);
    assert.deepEqual(daysOf(report?.removed ?? []), ["11-01", "11-02"]);
    assert.deepEqual(
      foreign.map(({ path, reason }) => `${path} ${reason}`),
      [
        "2018-01-01 unreadable",
        "2019-03-19/hets2019-03-19-01-00.bak unreadable",
        "2019-03-19/hets2019-03-19-02-00.bak folder",
        "2019-03-19/hets2019-03-19-03-00.bak link",
        "2019-03-19/hets2019-03-19-04-00.bak special_file",
      ],
    );
    assert.match(foreign[0]?.detail ?? "", /may not be read by user 65534: it is of user 0, mode 700/);
  });

  it("stops the cull of what it could hide a newer backup of, and nothing else", async (test) => {
    const volume = await foreignVolume(test);
    if (volume === undefined) return;
    await using _ = volume;
    await fillVolume(volume.path, 6, () => ({ database: "other" }));
    await execa("chown", ["-R", `${NOBODY}:${NOBODY}`, volume.path]);
    const { name } = aManifest({ startedAt: new Date(FIRST_AT.getTime() + 3 * DAY_MS + 3_600_000) });
    for (const path of [join(volume.path, name), join(volume.path, `${name}.json`)]) {
      await writeFile(path, "{}", { mode: 0o600 });
      await chown(path, 0, 0);
    }

    const { report } = await cullAsNobody(volume.path);

    assert.match(report?.refused[0]?.detail ?? "", /a newer backup may be hidden: .*hets2025-11-04-02-00/);
    assert.deepEqual(
      report?.removed.map((each) => each.name.slice(11, 16)),
      ["other", "other", "other", "other"],
    );
  });

  it("costs only its own adoption where its folder may not be written", async (test) => {
    const volume = await foreignVolume(test);
    if (volume === undefined) return;
    await using _ = volume;
    const files = ["2019-03-21/hets2019-03-21-01-00.bak", "2019-03-20/hets2019-03-20-01-00.bak"];
    for (const path of files) {
      await mkdir(join(volume.path, path, ".."), { mode: 0o755 });
      await writeFile(join(volume.path, path), DUMP, { mode: 0o644 });
    }
    await chmod(join(volume.path, "2019-03-20"), 0o777);

    const { report, error } = await cullAsNobody(volume.path);

    assert.equal(error, undefined);
    assert.deepEqual(daysOf(report?.removed ?? []), ["11-01", "11-02"]);
    const { adopted, failed } = report?.adoption ?? assert.fail("nothing was adopted");
    assert.deepEqual(adopted, [files[1]]);
    assert.match(failed.map(({ name, why }) => `${name} ${why}`).join(), /2019-03-21.*EACCES/);
  });

  it("is reported with what was removed if a removal is denied, which keeps no other backup", async (test) => {
    const volume = await foreignVolume(test);
    if (volume === undefined) return;
    await using _ = volume;
    await chown(join(volume.path, "2025-11-01"), 0, 0);

    const { error, events } = await cullAsNobody(volume.path);

    assert.match(error?.message ?? "", /stopped at 2025-11-01.*EACCES.*removed 1 of 2 \(2025-11-02/);
    assert.deepEqual(events, ["dev.dormouse.cull.failed volume 11-02"]);
    const days = (await readdir(volume.path)).filter((name) => name.startsWith("2025"));
    assert.deepEqual(days.toSorted(), ["2025-11-01", "2025-11-03", "2025-11-04"]);
  });
});
