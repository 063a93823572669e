import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  statfs,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { RestorePlan } from "../../functions/restore/plan/restore-plan.ts";
import type { Problem } from "../../shared/http/problem.ts";
import { problemIn, until } from "../support/faulty.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { installation } from "../support/installation.ts";
import { startPostgres, type OwnServer } from "../support/postgres.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import { smallVolume } from "../support/volume.ts";

type Changes = Readonly<Record<string, unknown>>;

describe("a restore that must not happen", () => {
  let server: OwnServer;
  let stage: RestoreStage;
  let restore: FunctionProcess;
  let owners: FunctionProcess;
  let archive: string;
  let bytes: Buffer;
  let manifest: string;
  let databases: string[];

  before(async () => {
    server = await startPostgres({ max_prepared_transactions: "5", wal_level: "logical" });
    stage = await setRestoreStage({ server });
    restore = await stage.start();
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB`);
    owners = await stage.startAsOwner();
    archive = join(stage.path, stage.backup.name);
    bytes = await readFile(archive);
    manifest = await readFile(`${archive}.json`, "utf8");
    databases = await allDatabases();
  });

  after(async () => {
    await stage[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  afterEach(async () => {
    await rm(archive, { recursive: true, force: true });
    await writeFile(archive, bytes);
    await writeFile(`${archive}.json`, manifest);
  });

  const allDatabases = async () => {
    const { rows } = await server.query(
      "postgres",
      "SELECT datname, datallowconn FROM pg_database ORDER BY 1",
    );
    return (rows as { datname: string; datallowconn: boolean }[]).map((row) => JSON.stringify(row));
  };

  /** The answer, once it is certain that nothing has changed. */
  async function refusal(
    answer: Promise<Response> = restore.post({ filename: stage.backup.name }),
  ): Promise<Problem> {
    const problem = await problemIn(answer);
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.deepEqual(await allDatabases(), databases);
    return problem;
  }

  /** Makes the manifest say something else. */
  async function claim(change: (stated: BackupManifest) => Changes): Promise<void> {
    const stated = JSON.parse(manifest) as BackupManifest;
    await writeFile(`${archive}.json`, JSON.stringify({ ...stated, ...change(stated) }));
  }

  describe("for what lies on the volume", () => {
    it("is refused when the archive was cut short", async () => {
      await truncate(archive, bytes.length - 100);

      const problem = await refusal();

      assert.equal(problem.code, "backup_not_found");
      assert.match(problem.detail, /has \d+ bytes, its manifest says \d+/);
    });

    for (const [region, part] of [
      ["header", 0],
      ["table of contents", 0.2],
      ["data", 0.7],
      ["end", 1],
    ] as const)
      it(`is refused when one bit differs in the archive's ${region}`, async () => {
        const flipped = Buffer.from(bytes);
        const at = Math.min(bytes.length - 1, Math.floor(bytes.length * part));
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        await writeFile(archive, flipped);

        const problem = await refusal();

        assert.equal(problem.code, "archive_damaged", problem.detail);
        assert.match(problem.detail, /the hash differs/);
      });

    it("is refused with garbage for a manifest, and with that of another database", async () => {
      await writeFile(`${archive}.json`, "{ no JSON");
      const garbage = await refusal();
      await claim(() => ({ database: "other" }));
      const others = await refusal();

      assert.match(garbage.detail, /is not JSON/);
      assert.match(others.detail, /it belongs to/);
      assert.deepEqual(
        [garbage, others].map(({ code, status }) => `${status} ${code}`),
        Array(2).fill("404 backup_not_found"),
      );
    });

    it("is refused when a link, a FIFO or a folder took the archive's place", async () => {
      const elsewhere = join(stage.path, "elsewhere");
      await rename(archive, elsewhere);
      await symlink(elsewhere, archive);
      const link = await refusal();
      await rm(archive);
      await execa("mkfifo", [archive]);
      const fifo = await refusal();
      await rm(archive);
      await mkdir(archive);
      const folder = await refusal();
      await rm(elsewhere);

      assert.match(link.detail, /is a symbolic link/);
      assert.match(fifo.detail, /is not a regular file/);
      assert.match(folder.detail, /is a folder/);
      for (const { code } of [link, fifo, folder]) assert.equal(code, "backup_not_found");
    });

    it("is refused when the manifest promises other rows than the archive has", async () => {
      await claim(({ content }) => ({ content: { ...content, rows: content.rows + 1 } }));

      const problem = await refusal();

      assert.equal(problem.code, "archive_damaged");
      assert.match(problem.detail, /holds \d+ rows, its manifest says \d+/);
    });

    for (const strategy of ["swap", "in-place"])
      it(`is taken back by ${strategy} when the loaded database has other rows than the manifest says`, async () => {
        await claim(({ content }) => ({
          content: {
            ...content,
            rows: content.rows + 1,
            tables: content.tables.map((table) =>
              table.name === "owner" ? { ...table, rows: table.rows + 1 } : table,
            ),
          },
        }));

        const problem = await refusal(restore.post({ filename: "latest", strategy }));

        assert.equal(problem.code, "rows_differ");
        assert.match(problem.detail, /hire\.owner has 200 rows instead of 201/);
      });

    it("is refused for another database's name", async () => {
      const other = stage.backup.name.replace(stage.database, "other");

      const problem = await refusal(restore.post({ filename: other }));

      assert.deepEqual([problem.status, problem.code], [400, "request_invalid"]);
    });
  });

  describe("for what the server lacks or holds", () => {
    const lacking = (kind: string, names: readonly string[]) =>
      claim(({ lacks }) => ({
        lacks: [...lacks.filter((lack) => lack.kind !== kind), { kind, data: false, names, detail: "x" }],
      }));

    async function blocked(answer?: Promise<Response>): Promise<string> {
      const { status, code, detail, hint } = await refusal(answer);
      assert.deepEqual([status, code], [422, "restore_blocked"]);
      assert.notEqual(hint, "");
      return detail;
    }

    it("names the role, the extension and the tablespace that it lacks", async () => {
      await lacking("roles", [`"the ""missing"" role"`, "postgres"]);
      const role = await blocked();
      await claim(({ content }) => ({
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
      await claim(({ versions }) => ({ versions: { ...versions, server: "99.1" } }));

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
      await claim(({ content }) => ({
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
      const plan = await owners.post({ filename: stage.backup.name, strategy: "in-place", dryRun: true });
      await stage.query("postgres", "ALTER DATABASE :db SET TABLESPACE pg_default");
      await server.query("postgres", "DROP TABLESPACE fast");
      await server.query("postgres", "DROP TABLESPACE home");

      for (const detail of [fast, inPlace])
        assert.match(detail, /tablespaces in which this role may not create: fast$/);
      assert.match(home, /tablespaces in which this role may not create: fast/);
      assert.match(home, /tablespace of the live database, in which this role may make no other: home/);
      assert.deepEqual(((await plan.json()) as RestorePlan).blockers, []);
    });

    it("says that the role may not make databases, or does not own this one", async () => {
      await stage.query("postgres", `ALTER ROLE ${stage.owner} NOCREATEDB`);
      const creates = await blocked(owners.post({ filename: stage.backup.name }));
      await stage.query(
        "postgres",
        `ALTER ROLE ${stage.owner} CREATEDB; ALTER DATABASE :db OWNER TO postgres`,
      );
      const owns = await blocked(owners.post({ filename: stage.backup.name }));
      await stage.query("postgres", `ALTER DATABASE :db OWNER TO ${stage.owner}`);

      assert.match(creates, /may not create or rename databases/);
      assert.match(owns, /does not own the live database/);
    });
  });

  describe("for what happens while it loads", () => {
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

        const problem = await refusal();

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

    const trailer = "\n--\n-- PostgreSQL database dump complete\n--\n";
    const scripts: readonly (readonly [string, string, string, RegExp])[] = [
      [
        "a key is violated",
        "CREATE TABLE a (b int PRIMARY KEY);\nCOPY a (b) FROM stdin;\n1\n1\n\\.\n",
        "restore_failed",
        /duplicate key value violates/,
      ],
      [
        "rows vanish again",
        "CREATE TABLE a (b int);\nCOPY a (b) FROM stdin;\n1\n2\n\\.\nDELETE FROM a WHERE b = 1;\n",
        "rows_differ",
        /a has 1 rows instead of 2/,
      ],
      [
        "a script asks for the shell",
        "SELECT 1;\n\\! touch /tmp/never\n",
        "archive_damaged",
        /holds commands that psql would run: \\! touch/,
      ],
      [
        "a script hides a command in the body of a function",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;\nCOPY x FROM stdin;\n\\! touch :path\n\\.\n",
        "restore_failed",
        /backslash commands are restricted/,
      ],
      [
        "a script hides a command by how strings are read",
        "SET standard_conforming_strings = off;\nSELECT 'a\\'' \\! touch :path\n', 'b';\n",
        "restore_failed",
        /backslash commands are restricted/,
      ],
      [
        "a role is missing that only a function names",
        "DO $$ BEGIN CREATE TABLE a (b int); ALTER TABLE a OWNER TO nobody_here; END $$;\n",
        "restore_failed",
        /role "nobody_here" does not exist/,
      ],
    ];
    for (const [what, script, code, detail] of scripts)
      it(`is taken back when ${what}`, async () => {
        const witness = join(stage.path, "witness");
        const name = `2020-01-01/${stage.database}2020-01-01-00-00.bak`;
        await mkdir(join(stage.path, "2020-01-01"), { recursive: true });
        await writeFile(join(stage.path, name), gzipSync(script.replaceAll(":path", witness) + trailer));

        const problem = await refusal(restore.post({ filename: name }));

        assert.equal(problem.code, code, problem.detail);
        assert.match(problem.detail, detail);
        await assert.rejects(readFile(witness), { code: "ENOENT" });
      });

    const unmet: readonly (readonly [string, string, RegExp])[] = [
      [
        "roles",
        'ALTER TABLE a OWNER TO nobody_here;\nGRANT ALL ON a TO "No ""One"""; GRANT ALL ON a TO postgres;\n',
        /roles that own or may use .*: No "One", nobody_here$/,
      ],
      [
        "an extension",
        'CREATE EXTENSION IF NOT EXISTS plpgsql; CREATE EXTENSION IF NOT EXISTS "no-such" WITH SCHEMA public;\n',
        /extensions that this server does not have: no-such$/,
      ],
      ["a tablespace", "SET default_tablespace = fast;\n", /tablespaces .*: fast$/],
    ];
    for (const [what, statements, detail] of unmet)
      it(`is refused before it loads when a script names ${what} that the server has not`, async () => {
        const name = `2020-01-01/${stage.database}2020-01-01-00-00.bak`;
        await mkdir(join(stage.path, "2020-01-01"), { recursive: true });
        await writeFile(
          join(stage.path, name),
          gzipSync(`SELECT 1 / 0;\nCREATE TABLE a (b int);\n${statements}${trailer}`),
        );

        for (const into of [undefined, "scratch", `${stage.database}_beside`]) {
          const problem = await refusal(restore.post({ filename: name, into }));

          assert.deepEqual([problem.status, problem.code], [422, "restore_blocked"], problem.detail);
          assert.match(problem.detail, detail);
          assert.notEqual(problem.hint, "");
        }
      });

    it("is refused when a small file grows without end", async () => {
      const name = `2020-01-01/${stage.database}2020-01-01-00-00.bak`;
      await mkdir(join(stage.path, "2020-01-01"), { recursive: true });
      await writeFile(join(stage.path, name), gzipSync(Buffer.alloc(200 << 20, "-")));

      const problem = await refusal(restore.post({ filename: name }));

      assert.equal(problem.code, "archive_damaged");
      assert.match(problem.detail, /grows beyond 200 times its size/);
    });
  });
});
