import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, mock } from "node:test";
import type { Run } from "../../shared/run/run.ts";
import { AT, ping, posted, runsOn } from "../support/asked-runs.ts";
import { temporaryVolume } from "../support/volume.ts";

describe("runFiles", () => {
  before(() => mock.timers.enable({ apis: ["Date"], now: AT }));
  after(() => mock.timers.reset());

  it("records a run before it answers, and finds it again from another process's view", async () => {
    await using volume = await temporaryVolume();

    const { run, isNew } = await runsOn(volume.path).begin(ping);

    assert.equal(isNew, true);
    assert.equal(run.state, "accepted");
    assert.deepEqual(await runsOn(volume.path).find(run.id), run);
    assert.deepEqual(await runsOn(volume.path).unfinished("backup", "hets"), [run]);
    assert.deepEqual(await runsOn(volume.path).unfinished("restore", "hets"), []);
    assert.deepEqual(await runsOn(volume.path).unfinished("backup", "other"), []);
  });

  it("keeps what an update says, and counts what has ended no longer", async () => {
    await using volume = await temporaryVolume();
    const runs = runsOn(volume.path);
    const { run } = await runs.begin(ping);
    const ended: Run = {
      ...run,
      state: "failed",
      steps: [{ step: "locked", at: AT, detail: { database: "hets" } }],
      problem: { code: "disk_full", message: "no room", hint: "make room" },
      finishedAt: AT,
    };

    await runs.update(ended);

    assert.deepEqual(await runs.find(run.id), ended);
    assert.deepEqual(await runs.unfinished("backup", "hets"), []);
  });

  it("passes over a broken record, and says so", async () => {
    await using volume = await temporaryVolume();
    const lines: string[] = [];
    await writeFile(join(volume.path, ".dormouse/runs/backup-000000000000000000000000.json"), "{");

    const { isNew } = await runsOn(volume.path, lines).begin(ping);

    assert.equal(isNew, true);
    assert.match(lines.join(""), /run record ignored/);
  });

  it("lists which backups unfinished runs need, of whatever kind, and until they end", async () => {
    await using volume = await temporaryVolume();
    const runs = runsOn(volume.path);
    const { run } = await runs.begin(ping);
    const restore = { ...posted("restore", { filename: "asked for" }), kind: "restore" as const };
    const { run: restoring } = await runs.begin(restore);
    await runs.update({ ...run, state: "running", uses: ["in use"] });
    await runs.update({ ...restoring, state: "interrupted" });

    const before = await runs.inUse();
    await runs.update({ ...run, state: "succeeded", uses: ["in use"] });
    const after = await runs.inUse();
    await runs.update({ ...restoring, state: "failed" });

    assert.deepEqual(Object.fromEntries(before), { "in use": run.id, "asked for": restoring.id });
    assert.deepEqual([...after.keys()], ["asked for"]);
    assert.deepEqual([...(await runs.inUse()).keys()], []);
  });

  it("does not list what is in use while a record cannot be read", async () => {
    await using volume = await temporaryVolume();
    await writeFile(join(volume.path, ".dormouse/runs/restore-000000000000000000000000.json"), "{");

    await assert.rejects(runsOn(volume.path).inUse(), {
      code: "catalog_unreadable",
      message: /restore-0000/,
    });
  });

  it("reads no file that an id from outside could name", async () => {
    await using volume = await temporaryVolume();
    await writeFile(join(volume.path, "secret.json"), "{}");

    for (const id of ["../../secret", "secret", "", ".", "backup-../../../secret000000000000000"]) {
      assert.equal(await runsOn(volume.path).find(id), undefined);
    }
  });

  it("keeps the records of the newest two hundred ended runs of each kind and database, and all that have not ended", async () => {
    await using volume = await temporaryVolume();
    const { run } = await runsOn(volume.path).begin(ping);
    const minute = (n: number) => new Date(AT.getTime() + n * 60_000);
    for (let n = 1; n <= 503; n++) {
      const id = `backup-${n.toString(16).padStart(24, "0")}`;
      const old: Run = {
        ...run,
        id,
        state: "succeeded",
        trigger: { source: "old", id },
        acceptedAt: minute(n),
      };
      await writeFile(join(volume.path, `.dormouse/runs/${id}.json`), JSON.stringify(old));
    }

    const others = [
      { kind: "restore", database: run.database },
      { kind: "cull", database: "*" },
      { kind: "backup", database: "reports" },
    ] as const;
    const othersIds = others.map(({ kind }, n) => `${kind}-${"f".repeat(23)}${n}`);
    for (const [n, id] of othersIds.entries()) {
      const older = { ...run, ...others[n], id, state: "succeeded", acceptedAt: minute(0) };
      await writeFile(join(volume.path, `.dormouse/runs/${id}.json`), JSON.stringify(older));
    }

    await runsOn(volume.path).begin(posted("new"));

    const left = await readdir(join(volume.path, ".dormouse/runs"));
    assert.equal(left.length, 200 + 2 + others.length);
    for (const id of othersIds) assert.ok(left.includes(`${id}.json`), id);
    assert.equal(left.includes("backup-000000000000000000000003.json"), false);
    assert.equal(left.includes(`${run.id}.json`), true);
  });
});
