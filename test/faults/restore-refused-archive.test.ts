import assert from "node:assert/strict";
import { mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { execa } from "execa";
import { setRefusingStage, type RefusingStage } from "../support/refusing-stage.ts";

describe("a restore of what does not lie on the volume as the backup wrote it", () => {
  let stood: RefusingStage;
  before(async () => void (stood = await setRefusingStage()));
  after(() => stood[Symbol.asyncDispose]());
  afterEach(() => stood.mend());

  it("is refused when the archive was cut short", async () => {
    await truncate(stood.archive, stood.bytes.length - 100);

    const problem = await stood.refusal();

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
      const flipped = Buffer.from(stood.bytes);
      const at = Math.min(stood.bytes.length - 1, Math.floor(stood.bytes.length * part));
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await writeFile(stood.archive, flipped);

      const problem = await stood.refusal();

      assert.equal(problem.code, "archive_damaged", problem.detail);
      assert.match(problem.detail, /the hash differs/);
    });

  it("is refused with garbage for a manifest, and with that of another database", async () => {
    await writeFile(`${stood.archive}.json`, "{ no JSON");
    const garbage = await stood.refusal();
    await stood.claim(() => ({ database: "other" }));
    const others = await stood.refusal();

    assert.match(garbage.detail, /is not JSON/);
    assert.match(others.detail, /it belongs to/);
    assert.deepEqual(
      [garbage, others].map(({ code, status }) => `${status} ${code}`),
      Array(2).fill("404 backup_not_found"),
    );
  });

  it("is refused when a link, a FIFO or a folder took the archive's place", async () => {
    const elsewhere = join(stood.stage.path, "elsewhere");
    await rename(stood.archive, elsewhere);
    await symlink(elsewhere, stood.archive);
    const link = await stood.refusal();
    await rm(stood.archive);
    await execa("mkfifo", [stood.archive]);
    const fifo = await stood.refusal();
    await rm(stood.archive);
    await mkdir(stood.archive);
    const folder = await stood.refusal();
    await rm(elsewhere);

    assert.match(link.detail, /is a symbolic link/);
    assert.match(fifo.detail, /is not a regular file/);
    assert.match(folder.detail, /is a folder/);
    for (const { code } of [link, fifo, folder]) assert.equal(code, "backup_not_found");
  });

  it("is refused when the manifest promises other rows than the archive has", async () => {
    await stood.claim(({ content }) => ({ content: { ...content, rows: content.rows + 1 } }));

    const problem = await stood.refusal();

    assert.equal(problem.code, "archive_damaged");
    assert.match(problem.detail, /holds \d+ rows, its manifest says \d+/);
  });

  for (const strategy of ["swap", "in-place"])
    it(`is taken back by ${strategy} when the loaded database has other rows than the manifest says`, async () => {
      await stood.claim(({ content }) => ({
        content: {
          ...content,
          rows: content.rows + 1,
          tables: content.tables.map((table) =>
            table.name === "owner" ? { ...table, rows: table.rows + 1 } : table,
          ),
        },
      }));

      const problem = await stood.refusal(stood.restore.post({ filename: "latest", strategy }));

      assert.equal(problem.code, "rows_differ");
      assert.match(problem.detail, /hire\.owner has 200 rows instead of 201/);
    });

  it("is refused for another database's name", async () => {
    const other = stood.stage.backup.name.replace(stood.stage.database, "other");

    const problem = await stood.refusal(stood.restore.post({ filename: other }));

    assert.deepEqual([problem.status, problem.code], [400, "request_invalid"]);
  });
});
