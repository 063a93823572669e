import assert from "node:assert/strict";
import { execa } from "execa";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, mock } from "node:test";
import type { NewRun, Run } from "../../shared/run/run.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { jsonLog } from "../../shared/log.ts";
import { preload } from "../support/faulty.ts";
import { temporaryVolume } from "../support/volume.ts";

const at = new Date("2026-11-22T01:00:07.123Z");
const ping: NewRun = {
  kind: "backup",
  database: "hets",
  trigger: { source: "/apis/v1/namespaces/hets/pingsources/daily", id: "a1", at },
  request: {},
};
const posted = (id: string, request = {}): NewRun => ({ ...ping, trigger: { source: "http", id }, request });

function store(path: string, lines: string[] = []) {
  return runFiles(
    path,
    jsonLog((line) => lines.push(line)),
  );
}

describe("runFiles", () => {
  before(() => mock.timers.enable({ apis: ["Date"], now: at }));
  after(() => mock.timers.reset());

  it("records a run before it answers, and finds it again from another process's view", async () => {
    await using volume = await temporaryVolume();

    const { run, isNew } = await store(volume.path).begin(ping);

    assert.equal(isNew, true);
    assert.equal(run.state, "accepted");
    assert.deepEqual(await store(volume.path).find(run.id), run);
    assert.deepEqual(await store(volume.path).unfinished("backup", "hets"), [run]);
    assert.deepEqual(await store(volume.path).unfinished("restore", "hets"), []);
    assert.deepEqual(await store(volume.path).unfinished("backup", "other"), []);
  });

  const sameRun: readonly (readonly [string, NewRun])[] = [
    ["the same event", ping],
    [
      "another event of the same minute",
      { ...ping, trigger: { ...ping.trigger, id: "b2", at: new Date(at.getTime() + 40_000) } },
    ],
    [
      "the same event with the time of its delivery",
      { ...ping, trigger: { ...ping.trigger, at: new Date(at.getTime() + 90_000) } },
    ],
    ["the same event without a time", { ...ping, trigger: { source: ping.trigger.source, id: "a1" } }],
  ];
  for (const [what, wanted] of sameRun) {
    it(`finds the run of ${what}`, async () => {
      await using volume = await temporaryVolume();
      const first = await store(volume.path).begin(ping);

      const second = await store(volume.path).begin(wanted);

      assert.deepEqual(second, { run: first.run, isNew: false });
    });
  }

  it("makes another run for another minute, source, key, kind or database", async () => {
    await using volume = await temporaryVolume();
    const runs = store(volume.path);
    const wanted = [
      ping,
      { ...ping, trigger: { ...ping.trigger, id: "c3", at: new Date(at.getTime() + 60_000) } },
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

  for (const [what, wanted] of [
    ["event", ping],
    ["key", posted("k1")],
  ] as const) {
    it(`begins a failed run again under its name when the same ${what} comes, once for all callers`, async () => {
      await using volume = await temporaryVolume();
      const { run } = await store(volume.path).begin(wanted);
      const problem = { code: "disk_full", message: "full" } as const;
      await store(volume.path).update({
        ...run,
        state: "failed",
        finishedAt: at,
        problem,
        steps: [{ step: "locked", at }],
      });

      const stores = Array.from({ length: 10 }, () => store(volume.path));
      const begun = await Promise.all(stores.map((each) => each.begin(wanted)));

      assert.equal(begun.filter(({ isNew }) => isNew).length, 1);
      assert.deepEqual(new Set(begun.map(({ run: again }) => again.id)), new Set([run.id]));
      const recorded = await store(volume.path).find(run.id);
      assert.deepEqual(recorded, { ...run, attempt: 2 });
      assert.deepEqual(
        (await readdir(join(volume.path, ".dormouse/runs"))).filter((name) => name.startsWith(".tmp-")),
        [],
      );
    });
  }

  it("answers with a run that succeeded for ever", async () => {
    await using volume = await temporaryVolume();
    const { run } = await store(volume.path).begin(ping);
    await store(volume.path).update({ ...run, state: "succeeded", finishedAt: at, result: { name: "x" } });

    const again = await store(volume.path).begin(ping);

    assert.equal(again.isNew, false);
    assert.deepEqual(again.run.result, { name: "x" });
  });

  it("refuses a key that belongs to another request", async () => {
    await using volume = await temporaryVolume();
    const runs = store(volume.path);
    await runs.begin(posted("key", { label: "before the release" }));

    await assert.rejects(runs.begin(posted("key", { label: "after it" })), {
      code: "idempotency_key_reused",
    });
    assert.equal((await runs.begin(posted("key", { label: "before the release" }))).isNew, false);
  });

  it("keeps what an update says, and counts what has ended no longer", async () => {
    await using volume = await temporaryVolume();
    const runs = store(volume.path);
    const { run } = await runs.begin(ping);
    const ended: Run = {
      ...run,
      state: "failed",
      steps: [{ step: "locked", at, detail: { database: "hets" } }],
      problem: { code: "disk_full", message: "no room", hint: "make room" },
      finishedAt: at,
    };

    await runs.update(ended);

    assert.deepEqual(await runs.find(run.id), ended);
    assert.deepEqual(await runs.unfinished("backup", "hets"), []);
  });

  it("passes over a broken record, and says so", async () => {
    await using volume = await temporaryVolume();
    const lines: string[] = [];
    await writeFile(join(volume.path, ".dormouse/runs/backup-000000000000000000000000.json"), "{");

    const { isNew } = await store(volume.path, lines).begin(ping);

    assert.equal(isNew, true);
    assert.match(lines.join(""), /run record ignored/);
  });

  it("lists which backups unfinished runs need, of whatever kind, and until they end", async () => {
    await using volume = await temporaryVolume();
    const runs = store(volume.path);
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

    await assert.rejects(store(volume.path).inUse(), { code: "catalog_unreadable", message: /restore-0000/ });
  });

  it("begins a run whose name a process had taken, without hard links, when it died", async () => {
    await using volume = await temporaryVolume();
    const { run } = await store(volume.path).begin(ping);
    await writeFile(join(volume.path, `.dormouse/runs/${run.id}.json`), "");
    const lines: string[] = [];
    const runs = store(volume.path, lines);

    const before = [await runs.find(run.id), await runs.all("backup"), await runs.inUse()];
    const again = await runs.begin(ping);

    assert.deepEqual(before, [undefined, [], new Map()]);
    assert.deepEqual(again, { run, isNew: true });
    assert.deepEqual(await store(volume.path).find(run.id), run);
    assert.deepEqual(lines, []);
  });

  it("reads no file that an id from outside could name", async () => {
    await using volume = await temporaryVolume();
    await writeFile(join(volume.path, "secret.json"), "{}");

    for (const id of ["../../secret", "secret", "", ".", "backup-../../../secret000000000000000"]) {
      assert.equal(await store(volume.path).find(id), undefined);
    }
  });

  it("keeps the records of the newest two hundred ended runs of each kind and database, and all that have not ended", async () => {
    await using volume = await temporaryVolume();
    const { run } = await store(volume.path).begin(ping);
    const minute = (n: number) => new Date(at.getTime() + n * 60_000);
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

    await store(volume.path).begin(posted("new"));

    const left = await readdir(join(volume.path, ".dormouse/runs"));
    assert.equal(left.length, 200 + 2 + others.length);
    for (const id of othersIds) assert.ok(left.includes(`${id}.json`), id);
    assert.equal(left.includes("backup-000000000000000000000003.json"), false);
    assert.equal(left.includes(`${run.id}.json`), true);
  });
});
