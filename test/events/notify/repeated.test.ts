import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { settleTroubles } from "../../../shared/function/settle-troubles.ts";
import type { Run } from "../../../shared/run/run.ts";
import { chatStage, completed, failed, problem } from "../../support/chat-stage.ts";
import { temporaryFolder } from "../../support/volume.ts";

describe("messages about a fault that lasts", async () => {
  const { received, url, take, send, ...receiver } = await chatStage();
  after(() => receiver[Symbol.dispose]());

  it("report a fault once a day, another one at once, and a restore each time", async () => {
    await using folder = await temporaryFolder();
    take();
    const other = { ...failed, data: { ...failed.data, problem: { ...problem, code: "disk_full" } } };

    for (let night = 0; night < 30; night += 1) await send(folder.path, [`${url}/a`], failed);
    await send(folder.path, [`${url}/a`], other);
    await send(folder.path, [`${url}/a`], completed);
    await send(folder.path, [`${url}/a`], completed);

    assert.equal(received.length, 4);
    assert.match(received[0]?.body ?? "", /There is no backup of hets on the volume/);
    assert.match(received[0]?.body ?? "", /Command: kubectl dormouse -n prod run backup-1/);
    assert.doesNotMatch(received[0]?.body ?? "", /since: /);
    assert.match(received[1]?.body ?? "", /since: \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  });

  for (const told of ["null", '"text"', "7"])
    it(`report it again if the note about it holds ${told}`, async () => {
      await using folder = await temporaryFolder();
      take();
      await send(folder.path, [`${url}/a`], failed);
      const notes = join(folder.path, ".dormouse/told");
      for (const name of await readdir(notes))
        await writeFile(join(notes, name), `{"since":"2026-01-01T00:00:00Z","told":${told}}`);

      await send(folder.path, [`${url}/a`], failed);

      assert.equal(received.length, 2);
    });

  it("report what failed of several databases at once", async () => {
    await using folder = await temporaryFolder();
    take();
    for (const database of ["a", "b", "c"])
      await send(folder.path, [`${url}/a`], {
        ...failed,
        subject: database,
        data: { run: `backup-${database}`, sweep: "backup-0", database, problem },
      });
    const swept = {
      type: "dev.dormouse.backup.swept",
      subject: "postgresql",
      data: {
        run: "backup-0",
        taken: [],
        failed: ["a", "b", "c"].map((database) => ({ database, problem })),
      },
    } as const;
    await send(folder.path, [`${url}/a`], swept);
    await send(folder.path, [`${url}/a`], swept);

    assert.equal(received.length, 1);
    assert.match(received[0]?.body ?? "", /backups of 3 databases of postgresql failed/);
    for (const database of ["a", "b", "c"])
      assert.match(received[0]?.body ?? "", new RegExp(`${database}: pg_dump ended with 1`));
  });

  it("report another database that fails, even if its name is like that of the first", async () => {
    await using folder = await temporaryFolder();
    take();
    for (const database of ["a:1", "a:2"]) {
      const data = { run: "backup-0", taken: [], failed: [{ database, problem }] };
      await send(folder.path, [`${url}/a`], {
        type: "dev.dormouse.backup.swept",
        subject: "postgresql",
        data,
      });
    }

    assert.equal(received.length, 2);
    assert.match(received[0]?.body ?? "", /backups of 1 database of postgresql failed/);
  });

  it("report a fault at once if a backup has succeeded since the last one", async () => {
    await using folder = await temporaryFolder();
    take();
    const run = { kind: "backup", state: "succeeded", database: "hets", steps: [] } as unknown as Run;

    await send(folder.path, [`${url}/a`], failed);
    await settleTroubles(folder.path).ended({ ...run, database: "another" }, async () => undefined);
    await send(folder.path, [`${url}/a`], failed);
    await settleTroubles(folder.path).ended(run, async () => undefined);
    await send(folder.path, [`${url}/a`], failed);

    assert.equal(received.length, 2);
  });
});
