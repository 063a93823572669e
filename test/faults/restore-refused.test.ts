import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { until } from "../support/faulty.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { installation } from "../support/installation.ts";
import { setRefusingStage, type RefusingStage } from "../support/refusing-stage.ts";
import { askPlan } from "../support/restore-plan.ts";
import { smallVolume } from "../support/volume.ts";

describe("a restore that the server cannot take", () => {
  let stood: RefusingStage;
  let server: RefusingStage["server"];
  let stage: RefusingStage["stage"];
  let restore: FunctionProcess;
  let owners: FunctionProcess;

  before(async () => {
    stood = await setRefusingStage({ max_prepared_transactions: "5", wal_level: "logical" });
    ({ server, stage, restore } = stood);
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB`);
    owners = await stage.startAsOwner();
  });
  after(() => stood[Symbol.asyncDispose]());
  afterEach(() => stood.mend());

  const lacking = (kind: string, names: readonly string[]) =>
    stood.claim(({ lacks }) => ({
      lacks: [...lacks.filter((lack) => lack.kind !== kind), { kind, data: false, names, detail: "x" }],
    }));

  async function blocked(answer?: Promise<Response>): Promise<string> {
    const { status, code, detail, hint } = await stood.refusal(answer);
    assert.deepEqual([status, code], [422, "restore_blocked"]);
    assert.notEqual(hint, "");
    return detail;
  }

  it("names the role, the extension and the tablespace that it lacks", async () => {
    await lacking("roles", [`"the ""missing"" role"`, "postgres"]);
    const role = await blocked();
    await stood.claim(({ content }) => ({
      content: { ...content, extensions: [{ name: "postgis", version: "3" }] },
    }));
    const extension = await blocked();
    await lacking("tablespaces", ["fast"]);
    const tablespace = await blocked();

    assert.match(role, /roles that own .*: the "missing" role$/);
    assert.match(extension, /extensions that this server does not have: postgis$/);
    assert.match(tablespace, /tablespaces .*: fast$/);
  });

  it("says that the backup comes from a newer server", async () => {
    await stood.claim(({ versions }) => ({ versions: { ...versions, server: "99.1" } }));

    assert.match(await blocked(), /newer server: 99\.1 > \d+/);
  });

  it("names prepared transactions", async () => {
    await server.query(stage.database, "BEGIN; SELECT 1; PREPARE TRANSACTION 'held ''open'''");

    const detail = await blocked();

    await server.query(stage.database, "ROLLBACK PREPARED 'held ''open'''");
    assert.match(detail, /prepared transactions .*: held 'open'/);
  });

  it("names a logical slot that is being read", async () => {
    await server.query(
      stage.database,
      "SELECT pg_create_logical_replication_slot('reader', 'test_decoding')",
    );
    const reader = spawn(
      `${server.binDir}/pg_recvlogical`,
      ["-d", stage.database, "--slot=reader", "--start", "-f", "/dev/null"],
      {
        env: {
          PGHOST: server.host,
          PGPORT: `${server.port}`,
          PGUSER: server.user,
          PGPASSWORD: server.password,
        },
      },
    );
    const slot = "SELECT FROM pg_replication_slots WHERE slot_name = 'reader' AND active";
    await until(async () => (await server.query("postgres", slot)).rowCount === 1);

    const detail = await blocked();

    reader.kill("SIGINT");
    await once(reader, "exit");
    await until(async () => (await server.query("postgres", slot)).rowCount === 0);
    await server.query(stage.database, "SELECT pg_drop_replication_slot('reader')");
    assert.match(detail, /replication slots of the live database are in use: reader/);
  });

  it("names subscriptions", async () => {
    const options = "WITH (connect = false, slot_name = NONE)";
    await server.query(
      stage.database,
      `CREATE SUBSCRIPTION "from Elsewhere" CONNECTION 'dbname=x' PUBLICATION y ${options}`,
    );

    const details = [
      await blocked(),
      await blocked(restore.post({ filename: stage.backup.name, strategy: "in-place" })),
    ];

    await server.query(stage.database, `DROP SUBSCRIPTION "from Elsewhere"`);
    for (const detail of details)
      assert.match(detail, /subscriptions, whose workers come back: from Elsewhere/);
  });

  it("names a superuser's session that the role may not end", async () => {
    const session = await server.connect(stage.database);

    const detail = await blocked(owners.post({ filename: stage.backup.name }));

    await session.end();
    assert.match(detail, /sessions that this role may not end: pid \d+ of postgres/);
  });

  it("names settings and extensions that only a superuser may set and create", async () => {
    await stage.query("postgres", "ALTER DATABASE :db SET log_statement = 'all'");
    await stage.query("postgres", "ALTER ROLE postgres IN DATABASE :db SET work_mem = '8MB'");
    await stood.claim(({ content }) => ({
      content: { ...content, extensions: [{ name: "pg_stat_statements", version: "1" }] },
    }));

    const detail = await blocked(owners.post({ filename: stage.backup.name }));

    await stage.query(
      "postgres",
      "ALTER DATABASE :db RESET ALL; ALTER ROLE postgres IN DATABASE :db RESET ALL",
    );
    assert.match(detail, /extensions that only a superuser may create: pg_stat_statements/);
    assert.match(detail, /settings .*: log_statement, work_mem of role postgres/);
  });

  it("names a tablespace in which the role may create nothing", async (test) => {
    const places = await mkdtemp(join(tmpdir(), "tablespaces-"));
    test.after(() => rm(places, { recursive: true }));
    const { user } = await installation();
    if (user !== undefined) await chown(places, user.uid, user.gid);
    for (const name of ["fast", "home"]) {
      await mkdir(join(places, name));
      if (user !== undefined) await chown(join(places, name), user.uid, user.gid);
      await server.query("postgres", `CREATE TABLESPACE ${name} LOCATION '${join(places, name)}'`);
    }
    await lacking("tablespaces", ["fast"]);
    const fast = await blocked(owners.post({ filename: stage.backup.name }));
    const inPlace = await blocked(owners.post({ filename: stage.backup.name, strategy: "in-place" }));
    await stage.query("postgres", "ALTER DATABASE :db SET TABLESPACE home");
    const home = await blocked(owners.post({ filename: stage.backup.name }));
    await lacking("tablespaces", ["home"]);
    const plan = await askPlan(owners, { filename: stage.backup.name, strategy: "in-place" });
    await stage.query("postgres", "ALTER DATABASE :db SET TABLESPACE pg_default");
    await server.query("postgres", "DROP TABLESPACE fast");
    await server.query("postgres", "DROP TABLESPACE home");

    for (const detail of [fast, inPlace])
      assert.match(detail, /tablespaces in which this role may not create: fast$/);
    assert.match(home, /tablespaces in which this role may not create: fast/);
    assert.match(home, /tablespace of the live database, in which this role may make no other: home/);
    assert.deepEqual(plan.blockers, []);
  });

  it("says that the role may not make databases, or does not own this one", async () => {
    await stage.query("postgres", `ALTER ROLE ${stage.owner} NOCREATEDB`);
    const creates = await blocked(owners.post({ filename: stage.backup.name }));
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB; ALTER DATABASE :db OWNER TO postgres`);
    const owns = await blocked(owners.post({ filename: stage.backup.name }));
    await stage.query("postgres", `ALTER DATABASE :db OWNER TO ${stage.owner}`);

    assert.match(creates, /may not create or rename databases/);
    assert.match(owns, /does not own the live database/);
  });

  it("is taken back when the server's disk is full", async (test) => {
    await using disk = await smallVolume(test, "64m");
    if (disk === undefined) return;
    const place = join(disk.path, "space");
    await mkdir(place);
    const { user } = await installation();
    if (user !== undefined) await chown(place, user.uid, user.gid);
    await chmod(disk.path, 0o755);
    await server.query("postgres", `CREATE TABLESPACE small LOCATION '${place}'`);
    await stage.query("postgres", "ALTER DATABASE :db SET TABLESPACE small");
    try {
      const { bavail, bsize } = await statfs(disk.path);
      // Less than the rows take; a new database is little more than holes in its files.
      await writeFile(join(disk.path, "filler"), Buffer.alloc(bavail * bsize - (1 << 20)));

      const problem = await stood.refusal();

      // At the first rows, or at the files of the empty database.
      assert.match(problem.code, /^(?:restore_failed|disk_full)$/);
      assert.match(problem.detail, /No space left on device/);
      assert.match(problem.hint ?? "", /make room on the server's disk/);
    } finally {
      await rm(join(disk.path, "filler"), { force: true });
      await stage.query("postgres", "ALTER DATABASE :db SET TABLESPACE pg_default");
      await server.query("postgres", "DROP TABLESPACE small");
    }
  });
});
