import assert from "node:assert/strict";
import { execa } from "execa";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { setBackupStage, type BackupStage } from "../../support/backup-stage.ts";
import { manifestOf } from "../../support/function-process.ts";
import type { TestServer } from "../../support/postgres.ts";
import { fingerprint } from "../../support/sample-database.ts";

describe("the backup function", () => {
  let stage: BackupStage;
  before(async () => void (stage = await setBackupStage()));
  after(() => stage[Symbol.asyncDispose]());

  it("takes a backup on POST that restores to the same content with PostgreSQL's own tools", async () => {
    const manifest = await manifestOf(await stage.backup.post({ label: "first", pin: "keep it" }));
    const restored = await stage.server.createDatabase();
    const { stderr } = await execa(
      `${stage.server.binDir}/pg_restore`,
      ["--exit-on-error", "--dbname", restored, `${stage.path}/${manifest.name}`],
      {
        env: {
          PGHOST: stage.server.host,
          PGPORT: `${stage.server.port}`,
          PGUSER: stage.server.user,
          PGPASSWORD: stage.server.password,
        },
      },
    );

    const [source, target] = await Promise.all([
      stage.server.connect(stage.database),
      stage.server.connect(restored),
    ]);
    const [expected, actual] = [await fingerprint(source), await fingerprint(target)];
    const schemas = await Promise.all([stage.database, restored].map((name) => schemaOf(stage.server, name)));
    await Promise.all([source.end(), target.end()]);
    await stage.server.dropDatabase(restored);

    assert.equal(stderr, "");
    assert.deepEqual(actual, expected);
    assert.equal(schemas[1], schemas[0]);
    assert.equal(manifest.label, "first");
    assert.equal(manifest.pin?.reason, "keep it");
    assert.equal(manifest.verification.level, "read");
    assert.deepEqual(
      (await stage.catalog()).map(({ name }) => name),
      [manifest.name],
    );
    const counts = Object.fromEntries(
      manifest.content.tables.map(({ schema, name, rows }) => [quoted(schema, name), `${rows}`]),
    );
    for (const [table, rows] of Object.entries(counts))
      assert.equal(expected[table]?.split(" ")[0], rows, table);
    assert.equal(manifest.content.largeObjects, 1);
  });

  it("runs the command of its manifest in a shell", async () => {
    const [newest] = await stage.catalog();
    const manifest = (newest as unknown as { manifest: { restoreByHand: string } }).manifest;
    const path = `${stage.server.binDir}:${process.env["PATH"]}`;
    const env = {
      PATH: path,
      PGHOST: stage.server.host,
      PGPORT: `${stage.server.port}`,
      PGUSER: stage.server.user,
      PGPASSWORD: stage.server.password,
    };

    await execa("sh", ["-c", manifest.restoreByHand], { cwd: stage.path, env });

    const { rows } = await stage.server.query(
      `${stage.database}_restored`,
      "SELECT count(*)::int AS count FROM hire.owner",
    );
    await stage.server.dropDatabase(`${stage.database}_restored`);
    assert.deepEqual(rows, [{ count: 200 }]);
  });
});

async function schemaOf(server: TestServer, database: string): Promise<string> {
  const { stdout } = await execa(`${server.binDir}/pg_dump`, ["--schema-only", "--dbname", database], {
    env: { PGHOST: server.host, PGPORT: `${server.port}`, PGUSER: server.user, PGPASSWORD: server.password },
  });
  return stdout.replace(/^\\(?:un)?restrict .*$/gm, "");
}

function quoted(schema: string, name: string): string {
  return [schema, name]
    .map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : pg.escapeIdentifier(part)))
    .join(".");
}
