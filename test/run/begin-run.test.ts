import assert from "node:assert/strict";
import { execa } from "execa";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, mock } from "node:test";
import type { NewRun } from "../../shared/run/run.ts";
import { AT, ping, posted, runsOn } from "../support/asked-runs.ts";
import { preload } from "../support/faulty.ts";
import { temporaryVolume } from "../support/volume.ts";

describe("a run that is asked for more than once", () => {
  before(() => mock.timers.enable({ apis: ["Date"], now: AT }));
  after(() => mock.timers.reset());

  const sameRun: readonly (readonly [string, NewRun])[] = [
    ["the same event", ping],
    [
      "another event of the same minute",
      { ...ping, trigger: { ...ping.trigger, id: "b2", at: new Date(AT.getTime() + 40_000) } },
    ],
    [
      "the same event with the time of its delivery",
      { ...ping, trigger: { ...ping.trigger, at: new Date(AT.getTime() + 90_000) } },
    ],
    ["the same event without a time", { ...ping, trigger: { source: ping.trigger.source, id: "a1" } }],
  ];
  for (const [what, wanted] of sameRun) {
    it(`finds the run of ${what}`, async () => {
      await using volume = await temporaryVolume();
      const first = await runsOn(volume.path).begin(ping);

      const second = await runsOn(volume.path).begin(wanted);

      assert.deepEqual(second, { run: first.run, isNew: false });
    });
  }

  it("makes another run for another minute, source, key, kind or database", async () => {
    await using volume = await temporaryVolume();
    const runs = runsOn(volume.path);
    const wanted = [
      ping,
      { ...ping, trigger: { ...ping.trigger, id: "c3", at: new Date(AT.getTime() + 60_000) } },
      { ...ping, trigger: { ...ping.trigger, source: "/other", id: "a1" } },
      { ...ping, kind: "cull" as const },
      { ...ping, database: "other" },
      posted("k1"),
      posted("k2"),
      { ...posted("k2"), database: "other" },
    ];

    for (const each of wanted) assert.equal((await runs.begin(each)).isNew, true);

    assert.equal((await readdir(join(volume.path, ".dormouse/runs"))).length, wanted.length);
  });

  for (const [where, changes] of [
    ["", {}],
    [", also without hard links", { ...preload("faults-preload.ts"), DORMOUSE_TEST_NO_LINKS: "1" }],
  ] as const)
    it(`makes one run of ten deliveries at once, in one process and in several${where}`, async () => {
      await using volume = await temporaryVolume();
      const program = `
      import { runFiles } from ${JSON.stringify(new URL("../../shared/run/run-files.ts", import.meta.url))};
      const runs = runFiles(process.argv[1]);
      const ping = ${JSON.stringify(ping)};
      ping.trigger.at = new Date(ping.trigger.at);
      const begun = await Promise.all(Array.from({ length: 10 }, () => runs.begin(ping)));
      console.log(JSON.stringify(begun.map(({ run, isNew }) => [run.id, isNew])));`;

      const processes = Array.from({ length: 3 }, () =>
        execa(process.execPath, ["--input-type=module", "-e", program, volume.path], { env: changes }),
      );
      const begun = (await Promise.all(processes)).flatMap(
        ({ stdout }) => JSON.parse(stdout) as [string, boolean][],
      );

      assert.equal(begun.length, 30);
      assert.equal(begun.filter(([, isNew]) => isNew).length, 1);
      assert.equal(new Set(begun.map(([id]) => id)).size, 1);
    });

  it("begins once where what has its name is no record, which stays under another name", async () => {
    await using volume = await temporaryVolume();
    const { run } = await runsOn(volume.path).begin(ping);
    const folder = join(volume.path, ".dormouse/runs");
    await writeFile(join(folder, `${run.id}.json`), "no record");

    const stores = Array.from({ length: 10 }, () => runsOn(volume.path));
    const begun = await Promise.all(stores.map((each) => each.begin(ping)));

    assert.equal(begun.filter(({ isNew }) => isNew).length, 1);
    assert.equal(await readFile(join(folder, `${run.id}.unsealed`), "utf8"), "no record");
    assert.deepEqual((await readdir(join(volume.path, ".dormouse"))).toSorted(), ["runs"]);
  });

  for (const [what, wanted] of [
    ["event", ping],
    ["key", posted("k1")],
  ] as const) {
    it(`begins a failed run again under its name when the same ${what} comes, once for all callers`, async () => {
      await using volume = await temporaryVolume();
      const { run } = await runsOn(volume.path).begin(wanted);
      const problem = { code: "disk_full", message: "full" } as const;
      await runsOn(volume.path).update({
        ...run,
        state: "failed",
        finishedAt: AT,
        problem,
        steps: [{ step: "locked", at: AT }],
      });

      const stores = Array.from({ length: 10 }, () => runsOn(volume.path));
      const begun = await Promise.all(stores.map((each) => each.begin(wanted)));

      assert.equal(begun.filter(({ isNew }) => isNew).length, 1);
      assert.deepEqual(new Set(begun.map(({ run: again }) => again.id)), new Set([run.id]));
      const recorded = await runsOn(volume.path).find(run.id);
      assert.deepEqual(recorded, { ...run, attempt: 2 });
      assert.deepEqual(
        (await readdir(join(volume.path, ".dormouse/runs"))).filter((name) => name.startsWith(".tmp-")),
        [],
      );
    });
  }

  it("answers with a run that succeeded for ever", async () => {
    await using volume = await temporaryVolume();
    const { run } = await runsOn(volume.path).begin(ping);
    await runsOn(volume.path).update({ ...run, state: "succeeded", finishedAt: AT, result: { name: "x" } });

    const again = await runsOn(volume.path).begin(ping);

    assert.equal(again.isNew, false);
    assert.deepEqual(again.run.result, { name: "x" });
  });

  it("refuses a key that belongs to another request", async () => {
    await using volume = await temporaryVolume();
    const runs = runsOn(volume.path);
    await runs.begin(posted("key", { label: "before the release" }));

    await assert.rejects(runs.begin(posted("key", { label: "after it" })), {
      code: "idempotency_key_reused",
    });
    assert.equal((await runs.begin(posted("key", { label: "before the release" }))).isNew, false);
  });

  it("begins a run whose name a process had taken, without hard links, when it died", async () => {
    await using volume = await temporaryVolume();
    const { run } = await runsOn(volume.path).begin(ping);
    await writeFile(join(volume.path, `.dormouse/runs/${run.id}.json`), "");
    const lines: string[] = [];
    const runs = runsOn(volume.path, lines);

    const before = [await runs.find(run.id), await runs.all("backup"), await runs.inUse()];
    const again = await runs.begin(ping);

    assert.deepEqual(before, [undefined, [], new Map()]);
    assert.deepEqual(again, { run, isNew: true });
    assert.deepEqual(await runsOn(volume.path).find(run.id), run);
    assert.deepEqual(lines, []);
  });
});
