import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { execa } from "execa";
import { archiveFiles } from "../../../shared/catalog/archives/archive-files.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import type { CatalogListing } from "../../../shared/catalog/catalog.ts";
import { findRestorable, parseWanted } from "../../../functions/restore/plan/restorable.ts";
import { verifyArchive } from "../../../functions/restore/archive/verify-archive.ts";
import { findClientTools } from "../../../shared/postgres/client-tools.ts";
import { restoreTools } from "../../../shared/postgres/restore-tools.ts";
import { problemIn } from "../../support/faulty.ts";
import type { FunctionProcess } from "../../support/function-process.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";

const CUTS = 40;

describe("a file of the old pod", () => {
  let stage: RestoreStage;
  let restore: FunctionProcess;
  let compressed: string;
  let plain: string;
  let bytes: Buffer;

  before(async () => {
    stage = await setRestoreStage();
    restore = await stage.start();
    // As its backup.sh names them.
    compressed = `2026-11-20/${stage.database}2026-11-20-01-00.bak`;
    plain = `2026-11-19/${stage.database}2026-11-19-01-00.bak`;
    await mkdir(join(stage.path, "2026-11-20"));
    await mkdir(join(stage.path, "2026-11-19"));
    const { host, port, user, password, binDir } = stage.server;
    const env = {
      PGHOST: host,
      PGPORT: `${port}`,
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: stage.database,
    };
    const to = join(stage.path, compressed);
    await execa("sh", ["-c", '"$0" | gzip > "$1"', `${binDir}/pg_dump`, to], { env });
    bytes = await readFile(to);
    await writeFile(join(stage.path, plain), gunzipSync(bytes));
  });

  after(() => stage[Symbol.asyncDispose]());

  afterEach(() => writeFile(join(stage.path, compressed), bytes));

  it("is listed, without a word on how good it is", async () => {
    const listing = (await (await restore.get("/")).json()) as CatalogListing;

    assert.deepEqual(
      listing.legacy.map(({ name, format }) => [name, format]),
      [
        [compressed, "gzip-sql"],
        [plain, "plain-sql"],
      ],
    );
  });

  it("is planned, with a warning that it has no manifest", async () => {
    const plan = await askPlan(restore, { filename: compressed.slice(11) });

    assert.deepEqual(plan.blockers, []);
    assert.match(plan.warnings.join(), /has no manifest/);
    assert.match(plan.warnings.join(), /needs is known once it has been read/);
  });

  for (const [what, name] of [
    ["compressed", () => compressed],
    ["plain", () => plain],
  ] as const)
    it(`is restored when it is ${what}, and that is undone`, async () => {
      await stage.destroyData();
      const destroyed = await stage.fingerprint();

      const result = await stage.readResult(restore.post({ filename: name() }));
      const restored = await stage.fingerprint();
      await stage.readResult(restore.post(result.undo?.body));

      assert.deepEqual(restored, stage.original);
      assert.equal(result.compared?.rows, stage.backup.content.rows);
      assert.deepEqual(await stage.fingerprint(), destroyed);
      await stage.readResult(restore.post({ filename: stage.backup.name }));
    });

  it("is restored as well behind a mark of byte order, as editors leave it", async () => {
    const script = await readFile(join(stage.path, plain));
    await writeFile(join(stage.path, plain), Buffer.concat([Buffer.from("\uFEFF"), script]));
    await stage.destroyData();

    await stage.readResult(restore.post({ filename: plain }));

    assert.deepEqual(await stage.fingerprint(), stage.original);
    await writeFile(join(stage.path, plain), script);
  });

  it("is not restored in place, since a part of it commits by itself", async () => {
    const problem = await problemIn(restore.post({ filename: compressed, strategy: "in-place" }));

    assert.equal(problem.code, "restore_blocked");
    assert.match(problem.detail, /commits its large objects by itself/);
    assert.match(problem.hint ?? "", /use the strategy swap/);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("is refused by the function when it was cut short", async () => {
    await writeFile(join(stage.path, compressed), bytes.subarray(0, bytes.length / 2));

    const problem = await problemIn(restore.post({ filename: compressed }));

    assert.equal(problem.code, "archive_damaged");
    assert.match(problem.detail, /is no whole gzip file: unexpected end of file/);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it(`is refused wherever it was cut, at ${CUTS} points, compressed or not`, async () => {
    const script = gunzipSync(bytes);
    for (let cut = 0; cut < CUTS; cut++) {
      await writeFile(
        join(stage.path, compressed),
        bytes.subarray(0, 20 + ((bytes.length - 21) * cut) / (CUTS - 1)),
      );
      await assert.rejects(verify(compressed), { code: "archive_damaged" }, `compressed, cut ${cut}`);
      // What stands behind the closing comment is nothing but white space or the end of \restrict.
      const end = script.lastIndexOf("database dump complete");
      await writeFile(join(stage.path, plain), script.subarray(0, 60 + ((end - 60) * cut) / (CUTS - 1)));
      await assert.rejects(verify(plain), { code: "archive_damaged" }, `plain, cut ${cut}`);
    }
    await writeFile(join(stage.path, plain), script);
    await verify(plain);
  });

  it("is refused wherever a bit of its compressed data differs", async () => {
    // Behind the header, which holds a name and a time that nothing depends on.
    for (let flip = 0; flip < CUTS; flip++) {
      const flipped = Buffer.from(bytes);
      const at = 20 + Math.floor(((bytes.length - 21) * flip) / (CUTS - 1));
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (flip % 8));
      await writeFile(join(stage.path, compressed), flipped);
      await assert.rejects(verify(compressed), { code: "archive_damaged" }, `byte ${at}`);
    }
  });

  it("is no reason to trust ours: those are refused at every cut and flip as well", async () => {
    const path = join(stage.path, stage.backup.name);
    const ours = await readFile(path);
    const listed = await found(stage.backup.name);
    for (let at = 0; at < CUTS; at++) {
      const cut = Math.floor((ours.length * at) / CUTS);
      await writeFile(path, ours.subarray(0, cut));
      await assert.rejects(verify(listed), { code: "archive_damaged" }, `cut to ${cut}`);
      const flipped = Buffer.from(ours);
      flipped[cut] = (flipped[cut] ?? 0) ^ (1 << (at % 8));
      await writeFile(path, flipped);
      await assert.rejects(verify(listed), { code: "archive_damaged" }, `flipped at ${cut}`);
    }
    await rm(path);
    await writeFile(path, ours);
    await verify(listed);
  });

  async function found(name: string) {
    const listing = await volumeCatalog(stage.path).list(new AbortController().signal);
    return findRestorable(listing, stage.database, parseWanted(name, stage.database));
  }

  /** As a restore verifies, without a process for each. */
  async function verify(backup: string | Awaited<ReturnType<typeof found>>): Promise<void> {
    const { signal } = new AbortController();
    const { server, path } = stage;
    const limits = { deadlineMs: 600_000, stallMs: 600_000, jobs: 1, secrets: [] };
    const libpq = { environment: {}, conninfo: () => "", [Symbol.asyncDispose]: async () => undefined };
    const tools = restoreTools(await findClientTools(server.major, server.binDir, ""), libpq, limits);
    const context = { signal, step: async () => undefined };
    const wanted = typeof backup === "string" ? await found(backup) : backup;
    const load = { backup: wanted, choice: {}, tools };
    await using _ = await verifyArchive(archiveFiles(path), load, context);
  }
});
