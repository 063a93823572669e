import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { Backup } from "../../../shared/catalog/backup.ts";
import type { CatalogListing } from "../../../shared/catalog/catalog.ts";
import { backupEnvironment, restoreEnvironment, startFunction } from "../../support/function-process.ts";
import { cullEnvironment } from "../../support/culled.ts";
import { createSample, fingerprint, fingerprintOf } from "../../support/sample-database.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { readContent, temporaryFolder, type Removed } from "../../support/volume.ts";

type Answer = Readonly<Record<string, unknown>> & { readonly code?: string };

/** A volume as the HETS pod left it over the years, and nothing of ours. */
describe("the volume of the HETS pod", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let original: Readonly<Record<string, string>>;
  let before2018: string;
  let packed: string;
  let custom: string;
  let newest: string;
  let cut: string;
  let others: string;
  let content: Record<string, string>;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    volume = await temporaryFolder();
    before2018 = `2018-10-18/${database}2018-10-18-20-55.sql.gz`;
    packed = `2018-11-01/${database}2018-11-01-20-55.bak`;
    custom = `2019-03-18/${database}2019-03-18-20-55.bak`;
    newest = `2019-05-16/${database}2019-05-16-20-55.bak`;
    cut = `2019-05-17/${database}2019-05-17-20-55.bak`;
    others = `2019-05-16/${database}22019-05-16-20-55.bak`;
    const client = await server.connect(database);
    await createSample(client);
    original = await fingerprint(client);
    await client.end();
    await dump(before2018, '"$0" | gzip > "$1"');
    await dump(packed, '"$0" | gzip > "$1"');
    for (const name of [custom, newest, others])
      await dump(name, '"$0" --blobs --format=c --compress=9 --file="$1"');
    const whole = await readFile(join(volume.path, newest));
    await mkdir(dirname(join(volume.path, cut)));
    await writeFile(join(volume.path, cut), whole.subarray(0, whole.length - 2_000));
    content = await readContent(volume.path);
  });
  after(async () => {
    const { rows } = await server.query(
      "postgres",
      "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
      [database],
    );
    for (const { datname } of rows as { datname: string }[]) await server.dropDatabase(datname);
    await volume[Symbol.asyncDispose]();
  });

  /** As its backup.sh called pg_dump in that year. */
  async function dump(name: string, command: string): Promise<void> {
    await mkdir(dirname(join(volume.path, name)), { recursive: true });
    const { host, port, user, password, binDir } = server;
    const env = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password, PGDATABASE: database };
    await execa("sh", ["-c", command, `${binDir}/pg_dump`, join(volume.path, name)], { env });
  }

  const startRestore = () => startFunction("restore", restoreEnvironment(server, database, volume.path));

  it("is listed by what each file holds, whatever its name ends in", async () => {
    await using restore = await startRestore();

    const { legacy, foreign } = (await (await restore.get("/")).json()) as CatalogListing;

    assert.deepEqual(
      legacy.map(({ name, format, database: of }) => `${name} ${format} ${of}`),
      [
        `${cut} custom ${database}`,
        `${newest} custom ${database}`,
        `${others} custom ${database}2`,
        `${custom} custom ${database}`,
        `${packed} gzip-sql ${database}`,
        `${before2018} gzip-sql ${database}`,
      ],
    );
    assert.deepEqual(foreign, []);
  });

  it("is restored by name, each kind of file by its value", async () => {
    await using restore = await startRestore();
    for (const [at, name] of [before2018, packed, custom].entries()) {
      const into = `${database}_${at}`;

      const answer = await restore.post({ filename: name, into });

      assert.equal(answer.status, 200, JSON.stringify(await answer.json()));
      assert.deepEqual(await fingerprintOf(server, into), original, name);
    }
  });

  it("refuses the file that was cut short, and leaves the live database as it was", async () => {
    await using restore = await startRestore();

    const problem = (await (await restore.post({ filename: "latest" })).json()) as Answer;

    assert.equal(problem.code, "archive_damaged", JSON.stringify(problem));
    assert.deepEqual(await fingerprintOf(server, database), original);
  });

  it("is adopted to what can be read to its end, and restored by latest from then on", async () => {
    await using cull = await startFunction(
      "cull",
      cullEnvironment(volume.path, { PATH: `${server.binDir}:/usr/bin:/bin` }),
    );
    await cull.post({});
    await using backup = await startFunction("backup", backupEnvironment(server, database, volume.path));
    const { backups, legacy } = (await (await backup.get("/")).json()) as CatalogListing;

    assert.deepEqual(
      new Set(
        backups.map(
          ({ name, manifest }) => `${name} ${manifest.archive.format} ${manifest.content.rows > 2_000}`,
        ),
      ),
      new Set([
        ...[newest, others, custom].map((name) => `${name} custom true`),
        ...[packed, before2018].map((name) => `${name} gzip-sql true`),
      ]),
    );
    assert.deepEqual(
      legacy.map(({ name, damage }) => [name, /cannot be read to its end/.test(damage ?? "")]),
      [[cut, true]],
    );
    for (const [name, bytes] of Object.entries(await readContent(volume.path)))
      if (!name.endsWith(".json")) assert.equal(bytes, content[name], name);
    assertKnown(backups, server.major);

    await server.query(database, "DELETE FROM hire.equipment");
    await using restore = await startRestore();
    const answer = await restore.post({ filename: "latest" });
    assert.equal(answer.status, 200, JSON.stringify(await answer.json()));
    assert.deepEqual(await fingerprintOf(server, database), original);
  });
});

/** The origin and the needs of the archive, as it shows them itself. */
function assertKnown(backups: readonly Backup[], major: number): void {
  for (const { name, manifest } of backups) {
    assert.match(manifest.versions.server, new RegExp(`^${major}`), name);
    assert.deepEqual(
      manifest.lacks.map(({ kind }) => kind),
      ["roles"],
      name,
    );
  }
}
