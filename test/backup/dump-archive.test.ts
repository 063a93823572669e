import assert from "node:assert/strict";
import { execa } from "execa";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { hasStatistics } from "../../shared/postgres/client-tools.ts";
import { backupEnvironment, manifestOf, startFunction } from "../support/function-process.ts";
import { preload } from "../support/faulty.ts";
import { sharedServer, type TestServer } from "../support/postgres.ts";
import { temporaryFolder } from "../support/volume.ts";

/** Of the head of an archive, in which the time of the dump stands: seven numbers of five bytes. */
const HEAD_BYTES = 64;

async function sampleIn(server: TestServer): Promise<string> {
  const database = await server.createDatabase();
  await server.query(
    database,
    `CREATE TABLE wide WITH (autovacuum_enabled = off) AS SELECT n AS id, md5(n::text) || md5((n * 7)::text) AS noise FROM generate_series(1, 60000) n;
     CREATE TABLE narrow WITH (autovacuum_enabled = off) AS SELECT n FROM generate_series(1, 1000) n;
     CREATE TABLE empty (a int);
     CREATE INDEX ON wide (noise);
     SELECT lo_from_bytea(0, 'bytes');`,
  );
  return database;
}

async function backUp(server: TestServer, changes: Readonly<Record<string, string>>) {
  const database = await sampleIn(server);
  await using volume = await temporaryFolder();
  try {
    const environment = { ...backupEnvironment(server, database, volume.path), ...changes };
    await using backup = await startFunction("backup", environment);
    const manifest = await manifestOf(await backup.post());
    const compression = manifest.archive.compression;
    const own = await dumpByHand(server, database, { compression, path: join(volume.path, "by-hand") });
    return { manifest, bytes: await readFile(join(volume.path, manifest.name)), own };
  } finally {
    await server.dropDatabase(database);
  }
}

type ByHand = { readonly compression: string; readonly path: string };

async function dumpByHand(server: TestServer, database: string, { compression, path }: ByHand) {
  const { host, port, user, password, binDir, major } = server;
  const level = compression.replace("gzip:", "");
  const statistics = hasStatistics(major) ? ["--statistics"] : [];
  await execa(
    `${binDir}/pg_dump`,
    ["--format=custom", `--compress=${level}`, `--file=${path}`, ...statistics],
    {
      env: {
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: database,
      },
    },
  );
  return readFile(path);
}

describe("the archive of a backup", () => {
  it("is what pg_dump writes into a file, byte for byte but for its time: with offsets", async () => {
    const server = await sharedServer();

    const { manifest, bytes, own } = await backUp(server, {});

    assert.equal(manifest.archive.offsets, true);
    assert.ok(bytes.length > 2 << 20, `${bytes.length} bytes hold pieces that passed before pg_dump ended`);
    assert.ok(bytes.subarray(HEAD_BYTES).equals(own.subarray(HEAD_BYTES)));
  });

  it("goes through a pipe, and says that it has no offsets, where a growing file cannot be followed", async () => {
    const server = await sharedServer();
    const unfollowed = { DORMOUSE_TEST_REFUSED: JSON.stringify({ rewrite: "EINVAL" }) };

    const { manifest, bytes, own } = await backUp(server, { ...preload("faults-preload.ts"), ...unfollowed });

    assert.equal(manifest.archive.offsets, false);
    assert.equal(bytes.length, own.length);
    assert.ok(!bytes.subarray(HEAD_BYTES).equals(own.subarray(HEAD_BYTES)));
    const rows = Object.fromEntries(manifest.content.tables.map((table) => [table.name, table.rows]));
    assert.deepEqual(rows, { empty: 0, narrow: 1_000, wide: 60_000 });
  });
});
