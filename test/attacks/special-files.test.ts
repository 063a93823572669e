import assert from "node:assert/strict";
import { execa } from "execa";
import { createHash } from "node:crypto";
import { mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { staleCondition } from "../../shared/events/notify/message-rules.ts";
import { cull, cullEnvironment, fillVolume } from "../support/culled.ts";
import { setStage, until } from "../support/faulty.ts";
import { manifestOf, startFunction, type FunctionProcess } from "../support/function-process.ts";
import { temporaryVolume } from "../support/volume.ts";
import { webhooks } from "../support/webhooks.ts";

/** A FIFO that nothing writes to is read for ever: the volume counted as gone, and no function did anything any more. */
const SHORT = { VOLUME_TIMEOUT_SECONDS: "1" };
const id = (digit: string) => digit.repeat(24);

async function isReady(process: FunctionProcess): Promise<number> {
  return (await process.get("/health/readiness")).status;
}

describe("a FIFO, a device or a huge file in the place of a small one on the volume", () => {
  it("keeps no backup from being taken when it is named like a record, and is logged", async () => {
    await using stage = await setStage();
    const runs = join(stage.path, ".dormouse", "runs");
    await execa("mkfifo", [join(runs, `backup-${id("a")}.json`)]);
    await symlink("/dev/zero", join(runs, `backup-${id("b")}.json`));
    await writeFile(join(runs, `backup-${id("c")}.json`), "");
    await truncate(join(runs, `backup-${id("c")}.json`), 3 * 2 ** 30);
    const backup = await stage.start(SHORT);

    const { name } = await manifestOf(await backup.post());
    const ignored = backup.lines.filter(({ message }) => message === "run record ignored");

    assert.match(name, /\.bak$/);
    assert.equal(await isReady(backup), 200);
    assert.deepEqual(
      ignored.map(({ code }) => code),
      ["catalog_unreadable", "catalog_unreadable", "catalog_unreadable"],
    );
  });

  it("stops no cull and no message when it is named like a note", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 2);
    using chat = await webhooks();
    const own = join(volume.path, ".dormouse");
    const told = createHash("sha256").update(staleCondition("hets", "volume")).digest("hex").slice(0, 32);
    await mkdir(join(own, "told"), { recursive: true });
    for (const name of ["retired-hets.json", "acknowledged-volume-x.json", "damaged.json", `told/${told}`])
      await execa("mkfifo", [join(own, name)]);
    await using culler = await startFunction(
      "cull",
      cullEnvironment(volume.path, { ...SHORT, STALE_HOURS: "1", NOTIFY_URL: chat.url }),
    );

    const { databases } = await cull(culler);

    assert.equal(databases.length, 1);
    await until(() => chat.received.length > 0 && chat.received[0]?.body !== "");
    assert.match(chat.received[0]?.body ?? "", /no recent backup of hets on the volume/);
    assert.equal(await isReady(culler), 200);
  });
});
