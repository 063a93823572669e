import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { backupEnvironment, minutesAgo, spawnFunction } from "../support/function-process.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";
import { readContent, temporaryFolder } from "../support/volume.ts";

const EVENT = {
  specversion: "1.0",
  id: "one",
  source: "/apis/v1/namespaces/hets/pingsources/daily",
  type: "dev.knative.sources.ping",
  time: minutesAgo(30),
};

describe("the backup function as the Job of a JobSink", () => {
  let server: TestServer;
  let database: string;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    await server.query(database, "CREATE TABLE held (id int)");
  });
  after(() => server.dropDatabase(database));

  async function given(event: string | undefined) {
    const [volume, folder] = [await temporaryFolder(), await temporaryFolder()];
    if (event !== undefined) await writeFile(join(folder.path, "event"), event);
    const environment = {
      ...backupEnvironment(server, database, volume.path),
      K_EVENT_PATH: folder.path,
    };
    return {
      volume,
      start: (changes: Readonly<Record<string, string>> = {}) =>
        spawnFunction("backup", { ...environment, ...changes }),
      async [Symbol.asyncDispose]() {
        await volume[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  }

  it("takes the backup that its event asks for, opens no port, and ends with 0", async () => {
    await using job = await given(JSON.stringify(EVENT));

    const process = job.start();
    const code = await process.ended;

    assert.equal(code, 0);
    assert.equal(
      process.lines.find(({ message }) => message === "listening"),
      undefined,
    );
    assert.equal(Object.keys(await readContent(job.volume.path)).length, 2);
  });

  it("does nothing a second time for the same event", async () => {
    await using job = await given(JSON.stringify(EVENT));

    const codes = [await job.start().ended, await job.start().ended];

    assert.deepEqual(codes, [0, 0]);
    assert.equal(Object.keys(await readContent(job.volume.path)).length, 2);
  });

  it("ends with 1 when the run fails", async () => {
    await using job = await given(JSON.stringify(EVENT));

    const process = job.start({ POSTGRESQL_DATABASE: "none_of_that_name" });

    assert.equal(await process.ended, 1);
    assert.equal((await process.logged("run failed"))["code"], "database_not_found");
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`is tried again after ${signal}, and resumes the same run`, async () => {
      await using job = await given(JSON.stringify(EVENT));
      const blocker = await server.connect(database);
      await blocker.query("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE");
      const first = job.start();
      const { run } = await first.logged("step inspected");

      const ended = await first.end(signal);
      await blocker.end();
      const second = job.start();

      assert.equal(ended, signal === "SIGTERM" ? 1 : "SIGKILL");
      assert.equal(await second.ended, 0);
      assert.equal((await second.logged("run succeeded"))["run"], run);
      assert.equal(Object.keys(await readContent(job.volume.path)).length, 2);
    });
  }

  const mistakes = [
    ["no event", undefined, "configuration_invalid"],
    ["an event that is none", "{", "event_invalid"],
    ["an event for another function", JSON.stringify({ ...EVENT, type: "other" }), "event_unsupported"],
  ] as const;
  for (const [what, event, code] of mistakes) {
    it(`ends with 1 on ${what}`, async () => {
      await using job = await given(event);

      const process = job.start();

      assert.equal((await process.logged("start-up failed"))["code"], code);
      assert.equal(await process.ended, 1);
    });
  }
});
