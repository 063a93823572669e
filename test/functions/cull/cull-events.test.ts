import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Report } from "../../../shared/doctor/finding.ts";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { Run } from "../../../shared/run/run.ts";
import { contentWith } from "../../support/backups.ts";
import { cull, cullEnvironment, daysOf, fillVolume } from "../../support/culled.ts";
import { eventReceiver } from "../../support/event-receiver.ts";
import { until } from "../../support/faulty.ts";
import { startFunction, type FunctionProcess } from "../../support/function-process.ts";
import { readContent, temporaryVolume } from "../../support/volume.ts";

const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", ...changes }));

describe("events of the cull function", () => {
  it("is woken by a ping and by a backup that was completed, and answers 202 with nothing", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path, { MAX_REMOVALS: "1" });

    const ping = await culler.ping();
    const first = await endOf(culler, 1);
    const completed = await sendEvent(culler, "dev.dormouse.backup.completed");
    const second = await endOf(culler, 2);

    assert.deepEqual([ping.status, await ping.text()], [202, ""]);
    assert.deepEqual([completed.status, await completed.text()], [202, ""]);
    assert.deepEqual([first, second], ["2025-11-01", "2025-11-02"]);
  });

  it("accepts Dormouse's other events and does nothing, and refuses those of others", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    const before = await readContent(volume.path);

    const ours = ["dev.dormouse.backup.failed", "dev.dormouse.mirror.failed", "dev.dormouse.cull.completed"];
    const taken = await Promise.all(ours.map((type) => sendEvent(culler, type)));
    const foreign = await sendEvent(culler, "com.example.backup.failed");

    assert.deepEqual(await Promise.all(taken.map(async (answer) => [answer.status, await answer.text()])), [
      [202, ""],
      [202, ""],
      [202, ""],
    ]);
    assert.equal(foreign.status, 422);
    assert.deepEqual(await readContent(volume.path), before);
  });

  it("logs what needs a person, and what does not it only takes", async () => {
    await using volume = await temporaryVolume();
    await using culler = await start(volume.path);

    const trouble = [
      "backup.failed",
      "mirror.failed",
      "backup.suspect",
      "backup.stale",
      "restore.rolledback",
      "restore.unsettled",
    ];
    for (const type of ["cull.completed", "restore.completed", ...trouble])
      assert.equal((await sendEvent(culler, `dev.dormouse.${type}`)).status, 202);
    await culler.post({ dryRun: true });

    const told = culler.lines.filter(({ message }) => message === "database fault reported");
    assert.deepEqual(
      told.map(({ type, level }) => [type, level]),
      trouble.map((type) => [`dev.dormouse.${type}`, "error"]),
    );
  });

  it("is woken by each of two backups that were completed within one minute", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path, { MAX_REMOVALS: "1" });
    const time = new Date().toISOString();

    await sendEvent(culler, "dev.dormouse.backup.completed", { "ce-id": "a", "ce-time": time });
    const first = await endOf(culler, 1);
    await sendEvent(culler, "dev.dormouse.backup.completed", { "ce-id": "b", "ce-time": time });
    const second = await endOf(culler, 2);

    assert.deepEqual([first, second], ["2025-11-01", "2025-11-02"]);
  });

  it("culls nothing while the newest backup is suspect, until an operator acknowledges it", async () => {
    await using volume = await temporaryVolume();
    await using sink = await eventReceiver();
    const backups = await fillVolume(volume.path, 5, (index) => ({
      content: contentWith(index < 3 ? 1_000 : 10),
    }));
    await using culler = await start(volume.path, { K_SINK: sink.url });
    const newest = backups.at(-1)?.name ?? "";

    const frozen = await cull(culler);
    const acknowledged = await culler.post({ acknowledge: newest, reason: "the archive moved out" });
    const lifted = await cull(culler);

    assert.deepEqual([frozen.removed, frozen.refused[0]?.rule], [[], "newest_suspect"]);
    assert.match(frozen.refused[0]?.detail ?? "", /table public\.t has 10 rows instead of 1000/);
    const manifest = (await acknowledged.json()) as BackupManifest;
    assert.equal(manifest.acknowledged?.reason, "the archive moved out");
    assert.deepEqual(daysOf(lifted.removed), ["11-01", "11-02", "11-03"]);
    await until(async () => sink.events.length >= 3);
    const suspect = sink.events.filter(({ type }) => type === "dev.dormouse.backup.suspect");
    assert.deepEqual(
      suspect.map(({ subject, data }) => [subject, data["database"]]),
      [[newest, "hets"]],
    );
  });

  it("reports each database whose newest backup is too old, with each run", async () => {
    await using volume = await temporaryVolume();
    await using sink = await eventReceiver();
    await fillVolume(volume.path, 2);
    await fillVolume(volume.path, 1, () => ({ database: "fresh", startedAt: new Date() }));
    await using culler = await start(volume.path, { K_SINK: sink.url, STALE_HOURS: "" });
    const newest = "2025-11-02/hets2025-11-02-01-00.bak";

    const dry = await cull(culler, { dryRun: true });
    await cull(culler);

    await until(async () => sink.events.length >= 2);
    const stale = sink.events.filter(({ type }) => type === "dev.dormouse.backup.stale");
    assert.deepEqual(
      stale.map(({ subject, data }) => [subject, data["database"], data["place"]]),
      [[newest, "hets", "volume"]],
    );
    const plans = new Map(dry.databases.map(({ database, staleness }) => [database, staleness?.newest]));
    assert.deepEqual([plans.get("fresh"), plans.get("hets")], [undefined, newest]);
  });

  it("reports that no rehearsal has proved a backup of late, if one is wanted", async () => {
    await using volume = await temporaryVolume();
    await using sink = await eventReceiver();
    await fillVolume(volume.path, 2);
    await using culler = await start(volume.path, { K_SINK: sink.url, REHEARSAL_STALE_DAYS: "8" });

    await cull(culler, { dryRun: true });
    await cull(culler);

    await until(() => sink.events.some(({ type }) => type === "dev.dormouse.cull.completed"));
    const stale = sink.events.filter(({ type }) => type === "dev.dormouse.rehearsal.stale");
    assert.deepEqual(
      stale.map(({ subject, data }) => [subject, data["database"], data["place"]]),
      [["hets", "hets", "volume"]],
    );
    assert.match(JSON.stringify(stale[0]?.data["staleness"]), /no rehearsal has proved any backup/);
  });

  it("reports a configured database that has no backup at all, as does its doctor", async () => {
    await using volume = await temporaryVolume();
    await using sink = await eventReceiver();
    await fillVolume(volume.path, 1, () => ({ database: "other", startedAt: new Date() }));
    const environment = { K_SINK: sink.url, STALE_HOURS: "", POSTGRESQL_DATABASE: "hets" };
    await using culler = await start(volume.path, environment);

    const report = await cull(culler);
    const { findings } = (await (await culler.get("/doctor")).json()) as Report;
    await until(async () => sink.events.length >= 2);

    const [stale] = sink.events.filter(({ type }) => type === "dev.dormouse.backup.stale");
    assert.deepEqual([stale?.subject, stale?.data["place"]], ["hets", "volume"]);
    assert.deepEqual(
      report.databases.map(({ database, staleness, refusal }) => [database, staleness?.detail, refusal]),
      [
        ["hets", "there is no backup of it", undefined],
        ["other", undefined, undefined],
      ],
    );
    const found = findings.filter(({ check }) => check === "backups");
    assert.deepEqual(
      found.map(({ state, database, detail }) => [state, database, detail]),
      [["warning", "hets", '"hets": there is no backup of it']],
    );
  });

  it("sends what it removed and why, and nothing of a dry run", async () => {
    await using volume = await temporaryVolume();
    await using sink = await eventReceiver();
    await fillVolume(volume.path, 3);
    await using culler = await start(volume.path, { K_SINK: sink.url });

    await cull(culler, { dryRun: true });
    const report = await cull(culler);

    await until(async () => sink.events.length >= 1);
    assert.deepEqual(
      sink.events.map(({ type, subject, source }) => [type, subject, source]),
      [["dev.dormouse.cull.completed", "volume", "/dormouse/cull"]],
    );
    const { removed, bytesFreed, run } = sink.events[0]?.data ?? {};
    assert.deepEqual([removed, bytesFreed], [report.removed, report.bytesFreed]);
    assert.match(String(run), /^cull-/);
    assert.match(sink.events[0]?.id ?? "", /^cull-[0-9a-f]{24}-completed-[0-9a-f]{16}$/);
  });
});

/** The day of the backup that the run with this number removed. */
async function endOf(process: FunctionProcess, number: number): Promise<string> {
  const ends = () => process.lines.filter(({ message }) => message === "run succeeded");
  await until(() => ends().length >= number);
  const record = await process.get(`/runs/${ends()[number - 1]?.["run"] as string}`);
  const { result } = (await record.json()) as Run;
  return (result as { removed: { name: string }[] }).removed[0]?.name.slice(0, 10) ?? "";
}

function sendEvent(
  process: FunctionProcess,
  type: string,
  more: Record<string, string> = {},
): Promise<Response> {
  const headers = {
    "ce-id": "1",
    "ce-source": "/dormouse/backup/hets",
    "ce-type": type,
    "ce-specversion": "1.0",
    ...more,
  };
  return process.post({ whatever: "a manifest" }, headers);
}
