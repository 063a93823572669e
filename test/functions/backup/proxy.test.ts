import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventReceiver } from "../../support/event-receiver.ts";
import { until } from "../../support/faulty.ts";
import { forwardProxy } from "../../support/forward-proxy.ts";
import { backupEnvironment, manifestOf, startFunction } from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { embeddedStore, makeBucket, mirrorEnvironment, type OwnStore } from "../../support/s3.ts";
import { temporaryFolder } from "../../support/volume.ts";

describe("a function behind a proxy", () => {
  let server: TestServer;
  let database: string;
  let store: OwnStore;

  before(async () => {
    [server, store] = await Promise.all([sharedServer(), embeddedStore()]);
    database = await server.createDatabase();
  });
  after(async () => {
    await server.dropDatabase(database);
    await store[Symbol.asyncDispose]();
  });

  it("reaches the bucket by it, and the sink of the cluster and the database without", async () => {
    await using volume = await temporaryFolder();
    await using bucket = await makeBucket(store);
    await using sink = await eventReceiver();
    await using proxy = await forwardProxy(store.port);
    await using backup = await startFunction("backup", {
      ...backupEnvironment(server, database, volume.path),
      ...mirrorEnvironment(bucket, "http://store.test"),
      K_SINK: sink.url,
      // A line break as Secrets end in, and the other case of the name.
      http_proxy: `${proxy.url}\n`,
      HTTP_PROXY: "http://127.0.0.1:9",
      NO_PROXY: "127.0.0.1",
    });

    const { name } = await manifestOf(await backup.post());
    await backup.logged("step mirrored");
    await until(async () => sink.events.length > 0);

    const report = (await (await backup.get("/doctor")).json()) as { readonly findings: unknown[] };
    assert.deepEqual(
      sink.events.map(({ type, subject }) => [type, subject]),
      [["dev.dormouse.backup.completed", name]],
    );
    assert.ok((await bucket.keys()).includes(name));
    assert.ok(
      proxy.seen.every((line) => / http:\/\/store\.test\//.test(line)),
      proxy.seen.join("\n"),
    );
    assert.deepEqual(
      report.findings.filter((each) => (each as { state: string }).state === "fault"),
      [],
    );
  });
});
