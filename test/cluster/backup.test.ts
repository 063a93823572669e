import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import { eventually } from "./support/kubectl.ts";
import { countBackups, pingHeaders, createRuns, schedule } from "./support/events.ts";
import { asleep, install, type Installation } from "./support/namespace.ts";

const BACKUP = "dormouse-backup";
const ROWS = 1_000;

describe("the backup function on Knative", () => {
  let dormouse: Installation;
  before(async () => {
    dormouse = await install("backup", {
      settings: {
        "dormouse-database-settings": [
          "RETRY_SECONDS=60",
          "LOCK_WAIT_SECONDS=600",
          "STALL_TIMEOUT_SECONDS=900",
        ],
      },
    });
    await dormouse.sql(
      `CREATE TABLE item AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, ${ROWS}) g`,
    );
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  it("wakes from zero pods on a ping, writes a backup to the volume, and goes back to zero", async () => {
    await asleep(dormouse, BACKUP);

    await schedule(dormouse, "* * * * *");
    const [backup] = await eventually("a backup of the ping", async () => {
      const names = await dormouse.onVolume("ls */*.bak.json 2>/dev/null || true");
      return names === "" ? undefined : names.split("\n");
    });
    await schedule(dormouse, "0 1 * * *");

    const manifest = JSON.parse(await dormouse.onVolume(`cat ${backup}`)) as BackupManifest;
    assert.equal(manifest.content.rows, ROWS);
    assert.match(manifest.trigger.source, /pingsources\/dormouse-daily$/);
    await asleep(dormouse, BACKUP);
  });

  it("answers a person's POST with the manifest", async () => {
    const { status, body } = await dormouse.call(BACKUP, {
      method: "POST",
      body: { label: "by hand", pin: true },
    });

    assert.equal(status, 200, body);
    assert.equal((JSON.parse(body) as BackupManifest).label, "by hand");
  });

  it("makes one backup of an event that is delivered three times", async () => {
    const before = await countBackups(dormouse);
    const deliver = () => dormouse.call(BACKUP, { method: "POST", headers: pingHeaders("thrice") });

    const answers = await Promise.all([deliver(), deliver(), deliver()]);

    assert.deepEqual(
      answers.map(({ status, body }) => [status, body]),
      Array(3).fill([202, ""]),
    );
    await eventually("the backup", async () => (await countBackups(dormouse)) === before + 1);
    assert.equal((await createRuns(dormouse, "thrice")).length, 1);
  });
});
