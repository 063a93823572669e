import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import { cullEnvironment } from "../support/culled.ts";
import { until } from "../support/faulty.ts";
import {
  backupEnvironment,
  type FunctionProcess,
  minutesAgo,
  startFunction,
} from "../support/function-process.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";
import { temporaryFolder, temporaryVolume } from "../support/volume.ts";

const NIGHTLY = "/apis/v1/namespaces/hets/pingsources/dormouse-daily";
const HOUR = 60;

describe("a sender of events", () => {
  let server: TestServer;
  let database: string;
  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    await server.query(database, "CREATE TABLE held AS SELECT 1 AS id");
  });
  after(() => server.dropDatabase(database));

  const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
    // Events of one moment wait for each other.
    startFunction("backup", {
      ...backupEnvironment(server, database, path),
      RETRY_SECONDS: "600",
      ...changes,
    });

  it("can take no run of a night to come, and none of a night by other data", async () => {
    await using volume = await temporaryFolder();
    await using backup = await start(volume.path);
    await (await backup.post({ label: "of last night" })).text();
    const data = { ifOlderThan: "999999d" };

    const nights = [1, 2, 3].map((day) => minutesAgo(-24 * HOUR * day));
    const claims = await Promise.all(
      nights.map((time) => backup.ping({ source: NIGHTLY, time, data }).then(({ status }) => status)),
    );
    const time = minutesAgo(0);
    const [claim, real] = [
      await backup.ping({ source: NIGHTLY, time, data }),
      await backup.ping({ source: NIGHTLY, time }),
    ];
    await ended(backup, 3);

    assert.deepEqual(claims, [422, 422, 422]);
    assert.deepEqual([claim.status, real.status], [202, 202]);
    assert.equal(await countOf(backup), 2);
  });

  it("makes no second backup within the interval, from however many sources; a person does", async () => {
    await using volume = await temporaryFolder();
    await using backup = await start(volume.path, { MIN_INTERVAL_MINUTES: "10" });
    await backup.ping();
    await ended(backup, 1);

    for (let sender = 0; sender < 8; sender++)
      assert.equal(
        (await backup.ping({ source: `/of/${sender}`, data: { label: `${sender}` } })).status,
        202,
      );
    await ended(backup, 9);
    const flooded = await countOf(backup);
    await (await backup.post({})).text();

    assert.equal(flooded, 1);
    assert.equal(await countOf(backup), 2);
  });

  it("pins nothing", async () => {
    await using volume = await temporaryFolder();
    await using backup = await start(volume.path);

    for (const pin of [true, "keep it all"]) assert.equal((await backup.ping({ data: { pin } })).status, 400);

    assert.equal(await countOf(backup), 0);
  });

  const TIMES: readonly (readonly [what: string, time: string | undefined, status: number])[] = [
    ["a day and an hour ago", minutesAgo(25 * HOUR), 422],
    ["most of a day ago", minutesAgo(23 * HOUR), 202],
    ["now", minutesAgo(0), 202],
    ["no time at all", undefined, 202],
    ["an hour ahead", minutesAgo(-HOUR), 422],
    ["the end of time", "9999-12-31T23:59:59Z", 422],
  ];
  it("is received of a day and two minutes, by each function", async () => {
    await using volume = await temporaryVolume();
    const environment = {
      ...backupEnvironment(server, database, volume.path),
      ...cullEnvironment(volume.path),
    };
    for (const name of ["backup", "cull", "restore"]) {
      await using started = await startFunction(name, environment);
      for (const [what, time, status] of TIMES) {
        const answer = await fetch(started.url, { method: "POST", headers: headersOf(what, time) });
        assert.equal(answer.status, status, `${name}: ${what}`);
        assert.equal(await answer.text(), "");
      }
    }
  });
});

function headersOf(id: string, time: string | undefined): Record<string, string> {
  return {
    "ce-specversion": "1.0",
    "ce-id": id,
    "ce-source": NIGHTLY,
    "ce-type": "dev.knative.sources.ping",
    connection: "close",
    ...(time === undefined ? {} : { "ce-time": time }),
  };
}

async function ended({ lines }: FunctionProcess, count: number): Promise<void> {
  await until(() => lines.filter(({ message }) => message === "run succeeded").length >= count);
}

async function countOf(backup: FunctionProcess): Promise<number> {
  return ((await (await backup.get("/")).json()) as CatalogListing).backups.length;
}
