import assert from "node:assert/strict";
import { execa } from "execa";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { CullPlacesReport } from "../../../functions/cull/cull-places.ts";
import { archiveName, type ArchiveName } from "../../../shared/catalog/archive-name.ts";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import { cull, cullEnvironment, daysOf, DAY_MS, fillVolume, FIRST_AT } from "../../support/culled.ts";
import { preload } from "../../support/faulty.ts";
import { spawnFunction, startFunction, type FunctionProcess } from "../../support/function-process.ts";
import { sharedServer } from "../../support/postgres.ts";
import { createSample } from "../../support/sample-database.ts";
import { temporaryVolume } from "../../support/volume.ts";

const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", ...changes }));

describe("files of the old pod", () => {
  it("are adopted if they prove whole, so many a run, and reported if they do not", async () => {
    await using volume = await temporaryVolume();
    await using old = await oldPod();
    const { bytes } = old;
    const put = (day: number, content: Uint8Array) => putLegacy(volume.path, { day, content });
    const names = [await put(0, bytes), await put(1, bytes), await put(2, bytes)];
    const cutShort = await put(3, bytes.subarray(0, 50));
    await fillVolume(volume.path, 1, () => ({ startedAt: new Date(FIRST_AT.getTime() + 9 * DAY_MS) }));
    await using culler = await start(volume.path, {
      ADOPT_PER_RUN: "3",
      SUSPECT_DROP_PERCENT: "100",
      CULL_LEGACY: "true",
    });

    const first = await cull(culler);
    const second = await cull(culler);
    const third = await cull(culler);

    assert.deepEqual([first.removed, first.adoption?.adopted], [[], [names[2], names[1]]]);
    assert.deepEqual(first.adoption?.damaged, [
      { name: cutShort, why: "is no whole gzip file: unexpected end of file" },
    ]);
    assert.equal(first.adoption?.waiting, 1);
    // Two adopted and one of ours are three: the oldest goes. The last legacy file is adopted, to go with the next run.
    assert.deepEqual([daysOf(second.removed), second.adoption?.adopted], [["11-02"], [names[0]]]);
    assert.deepEqual([daysOf(third.removed), third.adoption?.waiting], [["11-01"], 0]);
    const { backups, legacy } = await volume.catalog.list(new AbortController().signal);
    assert.deepEqual(daysOf(backups), ["11-10", "11-03"]);
    assert.deepEqual(
      legacy.map(({ name }) => name),
      [cutShort],
    );
    assert.equal(await old.restore(backups[1]?.manifest, volume.path), 200);
  });

  it("have their turn behind those that fail each run, and those that failed longest ago are tried first", async () => {
    await using volume = await temporaryVolume();
    // What pg_restore of whichever release answers with "unsupported version".
    const tooNew = Buffer.from(`PGDMP\x01\x63\x00${"\0".repeat(64)}`, "latin1");
    const contents = [PLAIN, tooNew, tooNew, tooNew];
    const names = await Promise.all(contents.map((content, day) => putLegacy(volume.path, { day, content })));
    await using culler = await start(volume.path, { ADOPT_PER_RUN: "2" });

    const reports = [await cull(culler), await cull(culler), await cull(culler)];

    const tried = reports.map(({ adoption }) => [
      adoption?.adopted,
      adoption?.failed.map(({ name }) => names.indexOf(name)),
    ]);
    assert.deepEqual(tried, [
      [[], [3, 2]],
      [[names[0]], [1]],
      [[], [3, 2]],
    ]);
    assert.match(
      reports[0]?.adoption?.failed[0]?.why ?? "",
      /pg_restore is older than what wrote the archive/,
    );
  });

  it("are not read again by the run whose process ended while it read them, and the others have their turn", async () => {
    await using volume = await temporaryVolume();
    const names = await Promise.all([0, 1, 2].map((day) => putLegacy(volume.path, { day, content: PLAIN })));
    const ends = { ...preload("reading-preload.ts"), DORMOUSE_TEST_READING_ENDS: names[2] ?? "" };
    const doomed = spawnFunction("cull", cullEnvironment(volume.path, ends));
    await doomed.logged("listening");
    await doomed.post().catch(() => undefined);
    assert.equal(await doomed.ended, "SIGKILL");

    await using next = await start(volume.path, ends);
    const { adoption } = await resumed(next);

    assert.deepEqual(adoption?.adopted, [names[1], names[0]]);
    assert.deepEqual(
      adoption?.failed.map(({ name }) => name),
      [names[2]],
    );
    assert.match(
      adoption?.failed[0]?.why ?? "",
      /the process ended while it was read: raise the memory limit/,
    );
  });

  it("have their turn behind those at which each attempt of a run ended, also when the run was abandoned", async () => {
    await using volume = await temporaryVolume();
    const days = [0, 1, 2, 3];
    const names = await Promise.all(days.map((day) => putLegacy(volume.path, { day, content: PLAIN })));
    const ends = { ...preload("reading-preload.ts"), DORMOUSE_TEST_READING_ENDS: ".bak" };
    for (const attempt of [1, 2, 3]) {
      const doomed = spawnFunction("cull", cullEnvironment(volume.path, ends));
      // The next ones take it up by themselves.
      if (attempt === 1) {
        await doomed.logged("listening");
        await doomed.post().catch(() => undefined);
      }
      assert.equal(await doomed.ended, "SIGKILL");
    }
    await using next = await start(volume.path, { ADOPT_PER_RUN: "2" });
    await next.logged("run abandoned");

    const { adoption } = await cull(next);

    assert.deepEqual(adoption?.adopted, [names[1], names[0]]);
  });

  it("with a name too long for a manifest beside it are listed and restorable, and stop nothing", async () => {
    await using volume = await temporaryVolume();
    const at = "2026-11-01_01-00-00.sql.gz";
    const name = `2026-11-01/server-${"x".repeat(252 - "server-_".length - at.length)}_${at}` as ArchiveName;
    await mkdir(join(volume.path, name, ".."), { recursive: true });
    await writeFile(join(volume.path, name), PLAIN);
    const short = await putLegacy(volume.path, { day: 0, content: PLAIN });
    await using culler = await start(volume.path);

    const { adoption } = await cull(culler);

    const { legacy, foreign } = await volume.catalog.list(new AbortController().signal);
    assert.equal(await volume.catalog.find(name, new AbortController().signal), undefined);
    assert.deepEqual(adoption?.adopted, [short]);
    assert.deepEqual(
      legacy.map((file) => file.name),
      [name],
    );
    assert.deepEqual(foreign, []);
    const adopted = volume.catalog.adopt(
      legacy[0] ?? assert.fail(),
      () => assert.fail(),
      new AbortController().signal,
    );
    await assert.rejects(adopted, /leaves no room for the name of a manifest/);
  });

  it("stay when they were adopted, take no place of ours, and a dry run shows what would go", async () => {
    await using volume = await temporaryVolume();
    for (let day = 0; day < 5; day++) await putLegacy(volume.path, { day, content: PLAIN });
    await fillVolume(volume.path, 1, () => ({ startedAt: new Date(FIRST_AT.getTime() + 9 * DAY_MS) }));
    await using culler = await start(volume.path);

    const first = await cull(culler, { dryRun: true });
    await cull(culler);
    const adopted = await cull(culler);
    const dry = await cull(culler, { dryRun: true });
    await using bold = await start(volume.path, { CULL_LEGACY: "true" });
    const went = await cull(bold);

    for (const report of [first, dry]) {
      assert.deepEqual(daysOf(report.withCullLegacy?.remove ?? []), ["11-01", "11-02", "11-03", "11-04"]);
      assert.equal(report.withCullLegacy?.kept, 1);
    }
    assert.deepEqual([adopted.removed, adopted.kept], [[], 6]);
    assert.deepEqual(
      adopted.databases[0]?.keep.at(-1)?.reasons.map(({ rule }) => rule),
      ["legacy"],
    );
    assert.deepEqual(daysOf(went.removed), ["11-01", "11-02", "11-03", "11-04"]);
  });
});

/** What the run that was interrupted comes to, which the process takes up by itself. */
async function resumed(culler: FunctionProcess): Promise<CullPlacesReport> {
  const last = await Promise.race([culler.logged("run succeeded"), culler.ended]);
  const run = typeof last === "object" ? last["run"] : assert.fail(`the process ended with ${last}`);
  const record = (await (await culler.get(`/runs/${String(run)}`)).json()) as {
    readonly result: CullPlacesReport;
  };
  return record.result;
}

const PLAIN = gzipSync(
  "--\n-- PostgreSQL database dump\n--\nSET x = 1;\n--\n-- PostgreSQL database dump complete\n--\n",
);

type Legacy = { readonly day: number; readonly content: Uint8Array };

async function putLegacy(path: string, { day, content }: Legacy): Promise<string> {
  const name = archiveName("hets", new Date(FIRST_AT.getTime() + day * DAY_MS));
  await mkdir(join(path, name, ".."), { recursive: true });
  await writeFile(join(path, name), content);
  return name;
}

/** A database, and what the old pod would have made of it. */
async function oldPod() {
  const server = await sharedServer();
  const database = await server.createDatabase();
  const client = await server.connect(database);
  await createSample(client);
  await client.end();
  const env = {
    PATH: `${server.binDir}:${process.env["PATH"]}`,
    PGHOST: server.host,
    PGPORT: `${server.port}`,
    PGUSER: server.user,
    PGPASSWORD: server.password,
  };
  const { stdout } = await execa(`${server.binDir}/pg_dump`, [database], { env, encoding: "buffer" });
  return {
    bytes: gzipSync(stdout),
    /** By the command of the manifest; answers with the number of owners. */
    async restore(manifest: BackupManifest | undefined, cwd: string): Promise<number | undefined> {
      await execa("sh", ["-c", manifest?.restoreByHand ?? "false"], { cwd, env });
      const sql = "SELECT count(*)::int AS count FROM hire.owner";
      const { rows: found } = await server.query("hets_restored", sql);
      await server.dropDatabase("hets_restored");
      return (found as { count: number }[])[0]?.count;
    },
    [Symbol.asyncDispose]: () => server.dropDatabase(database),
  };
}
