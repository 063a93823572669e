import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { cullEnvironment } from "../support/culled.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;

const keys = generateKeyPairSync("ed25519");
const MANIFEST_SIGNING_KEY = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const MANIFEST_PUBLIC_KEY = keys.publicKey.export({ type: "spki", format: "pem" }).toString();

describe("a signed backup", () => {
  it("is restored and counts after it was pinned, acknowledged and rehearsed", async () => {
    const server = await sharedServer();
    const database = await server.createDatabase();
    await using volume = await temporaryVolume();
    const { path } = volume;
    await server.query(database, "CREATE TABLE t AS SELECT 1 AS id");
    await using backup = await startFunction("backup", {
      ...backupEnvironment(server, database, path),
      MANIFEST_SIGNING_KEY,
    });
    const { name } = await manifestOf(await backup.post());
    await using cull = await startFunction("cull", cullEnvironment(path, { MANIFEST_PUBLIC_KEY }));
    await using restore = await startFunction("restore", {
      ...restoreEnvironment(server, database, path),
      MANIFEST_PUBLIC_KEY,
    });

    const answers = [
      await cull.post({ pin: name, reason: "before the release" }),
      await cull.post({ acknowledge: name, reason: "known" }),
      await restore.post({ filename: name, into: "scratch" }),
      await restore.post({ filename: "latest", into: `${database}_2` }),
    ];
    const told = await Promise.all(answers.map((answer) => answer.text()));
    const report = (await (await cull.post({ dryRun: true })).json()) as Readonly<Record<string, unknown>>;
    const marked = await volume.catalog.find(name, never);
    for (const each of [`${database}_2`, database]) await server.dropDatabase(each);

    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200],
      told.join("\n"),
    );
    assert.deepEqual([report["kept"], report["foreignEntries"]], [1, 0]);
    assert.equal(marked?.manifest.verification.level, "compared");
    assert.ok(marked.manifest.pin !== undefined && marked.manifest.acknowledged !== undefined);
  });
});
