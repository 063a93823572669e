import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import type { PlacedListing } from "../../shared/catalog/merged-catalog.ts";
import { problemIn } from "../support/faulty.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import { temporaryFolder } from "../support/volume.ts";

/** Far more than the few seconds that a bucket is waited for, far less than its client tries by itself: 300 s. */
const PATIENCE_MS = 120_000;

describe("a restore whose bucket accepts and is silent", () => {
  let stage: RestoreStage;
  let bucket: Awaited<ReturnType<typeof silentStore>>;
  let restore: FunctionProcess;
  before(async () => {
    [stage, bucket] = await Promise.all([setRestoreStage(), silentStore()]);
    restore = await stage.start(bucket.environment);
  });
  after(async () => {
    await stage[Symbol.asyncDispose]();
    await bucket[Symbol.asyncDispose]();
  });

  it("shows what the volume has, and says that the bucket did not answer", async () => {
    const answer = await fetch(restore.url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const { backups, bucketProblem } = (await answer.json()) as PlacedListing;

    assert.equal(answer.status, 200);
    assert.deepEqual(
      backups.map(({ name }) => name),
      [stage.backup.name],
    );
    assert.equal(bucketProblem?.code, "mirror_unreachable");
    assert.match(bucketProblem.message, /did not answer within 5 s/);
  });

  it("rehearses a backup of the volume without asking it, and the latest without holding the lock for it", async () => {
    const before = bucket.connections();
    const rehearsed = await stage.readResult(restore.post({ filename: stage.backup.name, into: "scratch" }));
    const asked = bucket.connections() - before;
    const latest = await stage.readResult(restore.post({ filename: "latest", into: "scratch" }));

    assert.deepEqual([rehearsed.source, latest.source, asked], [stage.backup.name, stage.backup.name, 0]);
  });

  it("does not say that a backup is gone that may lie there", async () => {
    const name = stage.backup.name.replace(/-\d\d-\d\d\.bak$/, "-23-58.bak");

    const problem = await problemIn(restore.post({ filename: name, dryRun: true }));

    assert.deepEqual([problem.status, problem.code], [503, "mirror_unreachable"]);
    assert.match(problem.detail, /no backup .* on the volume, and the bucket did not answer/);
  });

  it("says so where the volume has nothing", async () => {
    await using empty = await temporaryFolder();
    const alone = await stage.start({
      ...bucket.environment,
      BACKUP_DIR: empty.path,
      S3_TIMEOUT_SECONDS: "1",
    });

    const problem = await problemIn(alone.get("/"));

    assert.deepEqual([problem.status, problem.code], [503, "mirror_unreachable"]);
  });
});

async function silentStore() {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    connections: () => connections,
    environment: {
      S3_BUCKET: "silent",
      S3_PREFIX: "hets",
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "secret",
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
