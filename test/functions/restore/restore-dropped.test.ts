import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import pg from "pg";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { fingerprint } from "../../support/sample-database.ts";
import { temporaryFolder } from "../../support/volume.ts";

/** All that belongs to a database but what two cannot share. */
const PROPERTIES = `
  SELECT to_jsonb(d) - 'oid' - 'datname' - 'datfrozenxid' - 'datminmxid' - 'datacl' AS row,
    shobj_description(d.oid, 'pg_database') AS comment,
    (SELECT array_agg(format('%s %s %s', a.grantee::regrole, a.privilege_type, a.is_grantable)
      ORDER BY a.grantee::regrole::text, a.privilege_type) FROM aclexplode(d.datacl) a) AS grants,
    (SELECT jsonb_object_agg(s.setrole::regrole, to_jsonb(s.setconfig))
      FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) AS settings
  FROM pg_database d WHERE d.datname = $1`;

type Kind = { readonly what: string; readonly created: string; readonly content: string };

const KINDS: readonly Kind[] = [
  {
    what: "SQL_ASCII with bytes that are no UTF-8",
    created: "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
    content: String.raw`CREATE TABLE t (a text); INSERT INTO t VALUES (E'caf\351'), (E'\xff\xfe'), ('plain')`,
  },
  {
    what: "LATIN1",
    created: "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    content:
      "CREATE TABLE t (a text CHECK (octet_length(a) = length(a))); INSERT INTO t VALUES ('Größe'), ('a')",
  },
  {
    what: "an ICU locale",
    created: "LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' LC_COLLATE 'C' LC_CTYPE 'C'",
    content: "CREATE TABLE t (a text); INSERT INTO t VALUES ('Ä'), ('Z'), ('a'); CREATE INDEX ON t (a)",
  },
];

describe("a database that is gone", () => {
  const owner = `gone_${process.pid} "owner"`;
  const quotedOwner = pg.escapeIdentifier(owner);
  let server: TestServer;

  before(async () => {
    server = await sharedServer();
    await server.query("postgres", `CREATE ROLE ${quotedOwner}`);
  });

  after(() => server.query("postgres", `DROP ROLE ${quotedOwner}`));

  const printOf = async (name: string) => {
    const client = await server.connect(name);
    try {
      return await fingerprint(client);
    } finally {
      await client.end();
    }
  };
  const make = async (name: string, { created, content }: Kind) => {
    await server.query(
      "postgres",
      `CREATE DATABASE ${name} TEMPLATE template0 OWNER ${quotedOwner} ${created}`,
    );
    await server.query(name, content);
    for (const sql of [
      `ALTER DATABASE ${name} SET TimeZone = 'America/Vancouver'`,
      `ALTER DATABASE ${name} SET search_path = "a,b", public`,
      `ALTER ROLE ${quotedOwner} IN DATABASE ${name} SET work_mem = '8MB'`,
      `ALTER DATABASE ${name} CONNECTION LIMIT 9`,
      `COMMENT ON DATABASE ${name} IS 'it''s a \\ "live" one'`,
      `REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`,
      `GRANT CREATE ON DATABASE ${name} TO pg_monitor WITH GRANT OPTION`,
    ])
      await server.query("postgres", sql);
  };

  for (const [index, kind] of KINDS.entries())
    it(`is made anew from the manifest alone, and by its command: ${kind.what}`, async (test) => {
      if (kind.created.includes("icu") && server.major < 15)
        return test.skip("a database has no provider before 15");
      const icu = "SELECT FROM pg_collation WHERE collprovider = 'i' LIMIT 1";
      if (kind.created.includes("icu") && (await server.query("postgres", icu)).rowCount === 0)
        return test.skip("this server has no ICU");
      const name = `gone_${process.pid}_${index}`;
      await using volume = await temporaryFolder();
      await make(name, kind);
      await using backup = await startFunction("backup", backupEnvironment(server, name, volume.path));
      const { restoreByHand } = await manifestOf(await backup.post());
      const original = await printOf(name);
      const { rows: properties } = await server.query("postgres", PROPERTIES, [name]);
      await server.dropDatabase(name);

      await using restore = await startFunction("restore", restoreEnvironment(server, name, volume.path));
      const plan = await askPlan(restore, { filename: "latest" });
      const answer = await restore.post({ filename: "latest" });
      assert.equal(answer.status, 200, await answer.text());
      const { host, port, user, password, binDir } = server;
      await execa("sh", ["-c", restoreByHand], {
        cwd: volume.path,
        env: {
          PATH: `${binDir}:${process.env["PATH"]}`,
          PGHOST: host,
          PGPORT: `${port}`,
          PGUSER: user,
          PGPASSWORD: password,
        },
      });

      assert.deepEqual(plan.blockers, []);
      for (const where of [name, `${name}_restored`]) {
        assert.deepEqual(await printOf(where), original);
        assert.deepEqual((await server.query("postgres", PROPERTIES, [where])).rows, properties);
        await server.dropDatabase(where);
      }
    });

  it("is not made where the server lacks what it was: the plan names each", async () => {
    const name = `gone_${process.pid}_x`;
    await using volume = await temporaryFolder();
    const lost = `lost_${process.pid}`;
    await server.query("postgres", `CREATE ROLE ${lost}`);
    await server.query("postgres", `CREATE DATABASE ${name} TEMPLATE template0 OWNER ${lost}`);
    await using backup = await startFunction("backup", backupEnvironment(server, name, volume.path));
    await manifestOf(await backup.post());
    await server.dropDatabase(name);
    await server.query("postgres", `DROP ROLE ${lost}`);

    await using restore = await startFunction("restore", restoreEnvironment(server, name, volume.path));
    const { blockers } = await askPlan(restore, { filename: "latest" });

    assert.deepEqual(
      blockers.map(({ kind, names }) => [kind, names]),
      [["roles-missing", [lost]]],
    );
  });
});
