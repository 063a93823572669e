import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { TableRows } from "../../shared/postgres/plain-dump/plain-dump.ts";
import { setDumpStage, type DumpStage } from "../support/dump-stage.ts";
import { ODD_NAMES } from "../support/odd-names.ts";
import { collect } from "../support/postgres-adapter.ts";
import { pieces } from "../support/volume.ts";

describe("dumping and reading with the client tools", () => {
  let stage: DumpStage;
  before(async () => void (stage = await setDumpStage()));
  after(() => stage[Symbol.asyncDispose]());

  it("dumps a database and counts its rows while the archive passes by", async () => {
    const reading = stage.read(stage.dump());

    const archive = await collect(reading.archive);
    const contents = await reading.contents;

    assert.equal(archive.subarray(0, 5).toString(), "PGDMP");
    assert.deepEqual(counted(contents.tables), [
      { schema: "public", name: 'odd "name', rows: 2 },
      { schema: "public", name: "wide", rows: 60_000 },
    ]);
    assert.equal(contents.largeObjects, 1);
    assert.ok(contents.plainBytes > archive.length);
  });

  it("refuses an archive cut short at each of sixty places", async () => {
    const archive = await collect(stage.dump());

    for (let cut = 1; cut <= 60; cut++) {
      const short = archive.subarray(0, Math.floor((archive.length * cut) / 61));
      await assert.rejects(readAll(stage, short), { code: "archive_damaged" }, `cut ${cut}`);
    }
    await assert.rejects(readAll(stage, archive.subarray(0, -1)), { code: "archive_damaged" });
    await readAll(stage, archive);
  });

  for (const name of ODD_NAMES) {
    it(`dumps the database ${JSON.stringify(name)} and no other`, async () => {
      const { server } = stage;
      await server.createDatabase(name);
      try {
        await server.query(name, "CREATE TABLE only_here AS SELECT 1 AS a");
        const reading = stage.read(stage.dump({ database: name }));

        await collect(reading.archive);

        const { tables } = await reading.contents;
        assert.deepEqual(counted(tables), [{ schema: "public", name: "only_here", rows: 1 }]);
      } finally {
        await server.dropDatabase(name);
      }
    });
  }

  it("leaves out the named tables", async () => {
    const leaveOut = [
      { kind: "large-objects", data: true, names: ["1"], detail: "" },
      { kind: "row-security", data: true, names: ['public."odd ""name"'], detail: "" },
    ] as const;
    const reading = stage.read(stage.dump({ leaveOut }));

    await collect(reading.archive);

    const contents = await reading.contents;
    assert.deepEqual(
      contents.tables.map(({ name }) => name),
      ["wide"],
    );
    assert.equal(contents.largeObjects, 0);
  });
});

function counted(tables: readonly TableRows[]): TableRows[] {
  return tables.map(({ schema, name: table, rows }) => ({ schema, name: table, rows }));
}

async function readAll(stage: DumpStage, archive: Uint8Array): Promise<void> {
  const parts = Array.from({ length: Math.ceil(archive.length / 65_536) }, (_, at) =>
    archive.subarray(at * 65_536, (at + 1) * 65_536),
  );
  const reading = stage.read(pieces(...parts));
  await collect(reading.archive);
  await reading.contents;
}
