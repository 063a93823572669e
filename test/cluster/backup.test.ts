import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { CatalogListing } from "../../shared/backup/catalog.ts";
import type { BackupManifest } from "../../shared/backup/manifest.ts";
import type { Run } from "../../shared/backup/run.ts";
import { eventually } from "./support/kubectl.ts";
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
    assert.equal((await runsOf(dormouse, "thrice")).length, 1);
  });
});

/** Sets when the ping source fires. */
export async function schedule({ kubectl }: Installation, cron: string): Promise<void> {
  const patch = JSON.stringify({ spec: { schedule: cron } });
  await kubectl("patch pingsource dormouse-daily --type=merge --patch", patch);
}

function pingHeaders(id: string): Record<string, string> {
  return {
    "ce-id": id,
    "ce-source": "/apis/v1/namespaces/e2e/pingsources/test",
    "ce-type": "dev.knative.sources.ping",
    "ce-specversion": "1.0",
    "ce-time": new Date().toISOString(),
  };
}

async function countBackups({ call }: Installation): Promise<number> {
  const { status, body } = await call(BACKUP);
  assert.equal(status, 200, body);
  return (JSON.parse(body) as CatalogListing).backups.length;
}

async function runsOf({ onVolume }: Installation, event: string): Promise<readonly Run[]> {
  const records = await onVolume("for run in .dormouse/runs/backup-*.json; do tr -d '\\n' <$run; echo; done");
  const runs = records.split("\n").map((record) => JSON.parse(record) as Run);
  return runs.filter(({ trigger }) => trigger.id === event);
}
