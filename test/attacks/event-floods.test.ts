import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Run } from "../../shared/run/run.ts";
import { cull, cullEnvironment, fillVolume } from "../support/culled.ts";
import { until } from "../support/faulty.ts";
import { startFunction, type FunctionProcess } from "../support/function-process.ts";
import { temporaryVolume } from "../support/volume.ts";

const COMPLETED = "dev.dormouse.backup.completed";
const PING = "dev.knative.sources.ping";
const HOUR_MS = 3_600_000;

const start = (path: string) => startFunction("cull", cullEnvironment(path, { MIN_INTERVAL_MINUTES: "10" }));

describe("a flood of events at cull", () => {
  it("starts one cull an interval, whatever the events call themselves", async () => {
    await using volume = await temporaryVolume();
    const [old] = await fillVolume(volume.path, 3);
    await using culler = await start(volume.path);

    const types = [COMPLETED, PING, COMPLETED];
    const subjects = [undefined, "", "../../etc/passwd", old?.name, "2031-01-01/hets2031-01-01-01-00.bak"];
    const flood = Array.from({ length: 30 }, (_, n) =>
      send(culler, { id: `${n}`, source: `/of/${n}`, type: types[n % 3] ?? PING, subject: subjects[n % 5] }),
    );
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    await send(culler, { id: "dry", type: PING, data: { dryRun: true } });
    await culler.logged("run succeeded");

    assert.deepEqual(new Set(statuses), new Set([202]));
    assert.equal((await createRuns(volume.path)).length, 1);
  });

  it("keeps no new backup from its cull, and no new backup starts more than one", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);
    await using culler = await start(volume.path);
    await send(culler, { id: "forged" });
    await ended(culler, 1);

    const startedAt = new Date();
    const [, first, second] = await fillVolume(volume.path, 3, (n) => ({
      startedAt: new Date(startedAt.getTime() - (2 - n) * 60_000),
    }));
    for (const [n, backup] of [first, second, first, second, first].entries())
      await send(culler, { id: `news-${n}`, subject: backup?.name });
    await ended(culler, 3);

    const after = (await createRuns(volume.path)).map(({ request }) => request["after"]);
    assert.equal(after.length, 3);
    assert.deepEqual(new Set(after), new Set([undefined, first?.name, second?.name]));
  });

  it("is answered by no cull that failed, that only planned, or that began before the interval", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);
    await using culler = await start(volume.path);
    await cull(culler, { dryRun: true });
    await send(culler, { id: "1" });
    await ended(culler, 2);

    const changes: readonly Partial<Run>[] = [
      { state: "failed" },
      { state: "interrupted" },
      { acceptedAt: new Date(Date.now() - HOUR_MS) },
      { acceptedAt: new Date(Date.now() + HOUR_MS) },
    ];
    for (const [n, change] of changes.entries()) {
      await changeRecords(volume.path, change);
      await send(culler, { id: `after-${n}` });
      await ended(culler, 3 + n);
    }
  });

  it("takes no key of a person, by calling its source as a person's requests are called", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);
    await using culler = await start(volume.path);
    await send(culler, { id: "a-key", source: "http" });
    await ended(culler, 1);

    const answer = await culler.post({ dryRun: true }, { "idempotency-key": "a-key" });

    assert.equal(answer.status, 200);
    assert.equal((await createRuns(volume.path)).length, 2);
  });

  it("leaves a person's cull alone, and what a person began answers events", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);
    await using culler = await start(volume.path);
    await send(culler, { id: "1" });
    await ended(culler, 1);

    await cull(culler);
    await send(culler, { id: "2" });
    await culler.logged("event answered by a current cull");

    assert.equal((await createRuns(volume.path)).length, 2);
  });
});

type Sent = {
  readonly id: string;
  readonly source?: string;
  readonly type?: string;
  readonly subject?: string | undefined;
  readonly data?: unknown;
};

function send({ url }: FunctionProcess, { id, source = "/forged", type = COMPLETED, subject, data }: Sent) {
  return fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": id,
      "ce-source": source,
      "ce-type": type,
      ...(subject === undefined ? {} : { "ce-subject": subject }),
    },
    body: data === undefined ? null : JSON.stringify(data),
  });
}

async function ended({ lines }: FunctionProcess, count: number): Promise<void> {
  await until(() => lines.filter(({ message }) => message === "run succeeded").length >= count);
}

async function createRuns(path: string): Promise<readonly Run[]> {
  const folder = join(path, ".dormouse/runs");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  return Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8")) as Run),
  );
}

async function changeRecords(path: string, change: Partial<Run>): Promise<void> {
  for (const run of await createRuns(path))
    await writeFile(join(path, ".dormouse/runs", `${run.id}.json`), JSON.stringify({ ...run, ...change }));
}
