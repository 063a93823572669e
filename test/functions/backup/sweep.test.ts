import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import pg from "pg";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { Run } from "../../../shared/run/run.ts";
import { eventReceiver } from "../../support/event-receiver.ts";
import { assertWhole, listingOf, preload, problemIn, until } from "../../support/faulty.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "../../support/function-process.ts";
import { startPostgres, type OwnServer } from "../../support/postgres.ts";
import { temporaryFolder } from "../../support/volume.ts";

/** Twelve, of which some are the beginning of others and some have broken tools. */
const NAMES = [
  "app",
  "app_",
  "app_1",
  "app_10",
  "app-1",
  "App",
  "*",
  "!app",
  "a,b",
  `quote'and"\\`,
  "Größe-数据库",
  "app2026-11-22-01-00",
] as const;

type Answered = {
  readonly databases: readonly {
    readonly database: string;
    readonly run: string;
    readonly manifest?: BackupManifest;
    readonly problem?: { readonly code: string };
  }[];
  readonly new: readonly string[];
  readonly vanished: readonly string[];
};

let server: OwnServer;

before(async () => {
  server = await startPostgres();
  for (const name of NAMES) {
    await server.createDatabase(name);
    await server.query(name, "CREATE TABLE t AS SELECT 1 AS a");
  }
  await server.createDatabase("app__before_0123456789ab");
  await server.createDatabase("rdsadmin");
  await server.query("postgres", "CREATE DATABASE pattern TEMPLATE template0 IS_TEMPLATE true");
  await server.query("postgres", "CREATE DATABASE closed TEMPLATE template0 ALLOW_CONNECTIONS false");
  // As an interrupted DROP DATABASE leaves it.
  await server.createDatabase("half_dropped");
  await server.query("postgres", "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half_dropped'");
});
after(() => server[Symbol.asyncDispose]());

async function startSweeping(path: string, databases: string, more: Readonly<Record<string, string>> = {}) {
  const { POSTGRESQL_DATABASE: _, ...environment } = backupEnvironment(server, "", path);
  return startFunction("backup", { ...environment, POSTGRESQL_DATABASES: databases, ...more });
}

async function sweptBy(backup: FunctionProcess, body?: object): Promise<Answered & { status: number }> {
  const response = await backup.post(body);
  return { status: response.status, ...((await response.json()) as Answered) };
}

const databasesIn = (swept: Answered) => swept.databases.map(({ database }) => database);
const sorted = (names: Iterable<string>) => [...names].toSorted();

describe("a backup of all databases", () => {
  it("makes one run, one backup and one event of each by a ping, and none twice by the same ping", async () => {
    await using volume = await temporaryFolder();
    await using sink = await eventReceiver();
    await using backup = await startSweeping(volume.path, "*", { K_SINK: sink.url });
    const ping = { id: "tick" };

    assert.equal((await backup.ping(ping)).status, 202);
    await until(() => sink.events.some(({ type }) => type === "dev.dormouse.backup.swept"));
    assert.equal((await backup.ping(ping)).status, 202);

    const { backups, foreign } = await listingOf(backup);
    assert.deepEqual(sorted(backups.map(({ database }) => database)), sorted(NAMES));
    assert.deepEqual(foreign, []);
    assert.equal(new Set(backups.map(({ manifest }) => manifest.run)).size, NAMES.length);
    await assertWhole(volume.path, backups);
    const { runs } = (await (await backup.get("/runs")).json()) as { runs: readonly Run[] };
    assert.equal(runs.length, NAMES.length + 1);
    const completed = sink.events.filter(({ type }) => type === "dev.dormouse.backup.completed");
    assert.deepEqual(
      sorted(completed.map(({ source }) => source)),
      sorted(NAMES.map((name) => `/dormouse/backup/${encodeURIComponent(name)}`)),
    );
    const [swept, ...others] = sink.events.filter(({ type }) => type === "dev.dormouse.backup.swept");
    assert.deepEqual(others, []);
    assert.deepEqual(
      [swept?.source, swept?.data["failed"], swept?.data["vanished"]],
      ["/dormouse/backup", [], []],
    );
    assert.deepEqual(sorted(swept?.data["new"] as string[]), sorted(NAMES));
    assert.equal((swept?.data["taken"] as unknown[] | undefined)?.length, NAMES.length);
  });

  it("answers with each manifest or problem, and holds what was asked for each", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startSweeping(volume.path, "app*,missing,!app_*");
    const asked = { label: "before the release", pin: "release 1", ifOlderThan: "1h" };

    const swept = await sweptBy(backup, asked);
    assert.equal(swept.status, 207);
    const failed = swept.databases.filter(({ problem }) => problem !== undefined);
    assert.deepEqual(
      failed.map(({ database, problem }) => [database, problem?.code]),
      [["missing", "database_not_found"]],
    );
    const good = swept.databases.flatMap(({ manifest }) => manifest ?? []);
    assert.deepEqual(
      sorted(good.map(({ database, label, pin }) => `${database} ${label} ${pin?.reason}`)),
      sorted(["app", "app-1", "app2026-11-22-01-00"].map((name) => `${name} before the release release 1`)),
    );

    // What is younger than an hour is not taken again; what failed is asked for once more.
    const again = await sweptBy(backup, asked);
    assert.equal(again.status, 207);
    assert.deepEqual(
      sorted(again.databases.flatMap(({ manifest }) => manifest?.name ?? [])),
      sorted(good.map(({ name }) => name)),
    );
  });

  it("takes one that is named, and none that is not of this installation", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startSweeping(volume.path, "app*,!app_*");

    const one = (await (await backup.post({ database: "app" })).json()) as BackupManifest;
    assert.equal(one.database, "app");
    for (const database of ["app_1", "App", ""]) {
      const problem = await problemIn(backup.post({ database }));
      assert.deepEqual([problem.status, problem.code], [400, "request_invalid"], database);
    }
    const missing = await problemIn(backup.post({ database: "apple" }));
    assert.equal(missing.code, "database_not_found");
    assert.equal((await listingOf(backup)).backups.length, 1);
  });

  it("begins with what has no backup and ends with what has the youngest", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startSweeping(volume.path, "app,App,app-1");
    for (const database of ["App", "app-1"]) assert.equal((await backup.post({ database })).status, 200);

    const swept = await sweptBy(backup);
    assert.deepEqual(databasesIn(swept), ["app", "App", "app-1"]);
    assert.deepEqual([swept.status, swept.new], [200, ["app"]]);
  });

  it("takes a database that is created meanwhile, and reports one that is dropped", async () => {
    await using volume = await temporaryFolder();
    for (const name of ["turn_1", "turn_2"]) await server.createDatabase(name);
    await server.query("turn_1", "CREATE TABLE t AS SELECT 1 AS a");
    await using backup = await startSweeping(volume.path, "turn_*");
    for (const database of ["turn_1", "turn_2"]) await backup.post({ database });
    const holder = await server.connect("turn_1");
    await holder.query("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    const sweeping = sweptBy(backup);
    await until(async () => (await waitingDumps("turn_1")) > 0);

    await server.dropDatabase("turn_2");
    await server.createDatabase("turn_3");
    await holder.end();

    const swept = await sweeping;
    assert.deepEqual([swept.status, databasesIn(swept)], [200, ["turn_1", "turn_3"]]);
    assert.deepEqual([swept.new, swept.vanished], [["turn_3"], ["turn_2"]]);
    const kept = (await listingOf(backup)).backups.filter(({ database }) => database === "turn_2");
    assert.equal(kept.length, 1);
    for (const name of ["turn_1", "turn_3"]) await server.dropDatabase(name);
  });

  it("that fails as a whole says so: here the volume cannot be listed", async () => {
    await using volume = await temporaryFolder();
    await using outside = await temporaryFolder();
    await using sink = await eventReceiver();
    const DORMOUSE_TEST_FIFO = join(outside.path, "server");
    await execa("mkfifo", [DORMOUSE_TEST_FIFO]);
    await mkdir(join(volume.path, "2026-11-22"));
    await using backup = await startSweeping(volume.path, "app", {
      ...preload("silent-volume-preload.ts"),
      DORMOUSE_TEST_SILENT: "/2026-11-22(/|$)",
      DORMOUSE_TEST_FIFO,
      VOLUME_TIMEOUT_SECONDS: "2",
      K_SINK: sink.url,
    });

    const { code } = await problemIn(backup.post());

    await until(() => sink.events.length > 0);
    assert.equal(code, "volume_silent");
    assert.deepEqual(
      sink.events.map(({ type, subject }) => [type, subject]),
      [["dev.dormouse.backup.failed", "*"]],
    );
  });

  it("leaves the database postgres out as long as it holds nothing", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startSweeping(volume.path, "postg*");
    assert.deepEqual(databasesIn(await sweptBy(backup)), []);

    await server.query("postgres", "CREATE TABLE mine AS SELECT 1 AS a");
    const swept = await sweptBy(backup);
    await server.query("postgres", "DROP TABLE mine");
    assert.deepEqual(databasesIn(swept), ["postgres"]);
  });
});

async function waitingDumps(database: string): Promise<number> {
  const sql = `SELECT FROM pg_stat_activity WHERE datname = ${pg.escapeLiteral(database)}
    AND query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'`;
  return (await server.query("postgres", sql)).rows.length;
}
