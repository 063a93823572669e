import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import { findClientTools } from "../../shared/postgres/client-tools.ts";
import { askPlan } from "../support/restore-plan.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

/** The real tools, which say that they are of another release. */
async function toolsOf(version: string, binDir: string) {
  const path = await mkdtemp(join(tmpdir(), "dormouse-old-tools-"));
  for (const tool of ["pg_dump", "pg_restore", "psql"]) {
    const said = `${tool} (PostgreSQL) ${version}`;
    const script = `#!/bin/sh\n[ "$1" = --version ] && { echo "${said}"; exit; }\nexec "${binDir}/${tool}" "$@"\n`;
    await writeFile(join(path, tool), script);
    await chmod(join(path, tool), 0o755);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe("client tools that know no \\restrict", () => {
  const releases: readonly (readonly [version: string, unsafeBefore: string | undefined])[] = [
    ["12.22", "15.14"],
    ["13.21", "13.22"],
    ["13.22", undefined],
    ["14.18", "14.19"],
    ["15.13", "15.14"],
    ["15.14", undefined],
    ["16.9", "16.10"],
    ["17.5", "17.6"],
    ["17.6", undefined],
    ["18.0", undefined],
  ];
  for (const [version, unsafeBefore] of releases) {
    it(`are those of ${version}: ${unsafeBefore === undefined ? "no" : "yes"}`, async () => {
      await using tools = await toolsOf(version, "/nowhere");

      assert.equal((await findClientTools(10, tools.path, "")).unsafeBefore, unsafeBefore);
    });
  }
});

describe("a file of unknown origin before such tools", () => {
  let stage: RestoreStage;
  before(async () => {
    stage = await setRestoreStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  async function put(name: string, command: string): Promise<void> {
    const { host, port, user, password, binDir } = stage.server;
    await mkdir(dirname(join(stage.path, name)), { recursive: true });
    const env = {
      PGHOST: host,
      PGPORT: `${port}`,
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: stage.database,
    };
    await execa("sh", ["-c", command, `${binDir}/pg_dump`, join(stage.path, name)], { env });
  }

  it("is refused in any format and by each strategy, with the release to install; a backup of ours is not", async () => {
    const files = {
      script: `2026-11-01/${stage.database}2026-11-01-01-00.bak`,
      packed: `2026-11-02/${stage.database}2026-11-02-01-00.bak`,
      custom: `2026-11-03/${stage.database}2026-11-03-01-00.bak`,
    };
    await put(files.script, '"$0" > "$1"');
    await put(files.packed, '"$0" | gzip > "$1"');
    await put(files.custom, '"$0" --format=c --file="$1"');
    const major = stage.server.major;
    const old = { 13: "13.21", 14: "14.18", 15: "15.13", 16: "16.9", 17: "17.5" }[major];
    if (old === undefined) return;
    await using tools = await toolsOf(old, stage.server.binDir);
    const restore = await stage.start({ PG_BIN_DIR: tools.path });
    const untouched = await stage.databases();

    for (const filename of Object.values(files))
      for (const how of [
        {},
        { strategy: "in-place" },
        { into: "scratch" },
        { into: `${stage.database}_2` },
      ]) {
        const plan = await askPlan(restore, { filename, ...how });
        const refused = (await (await restore.post({ filename, ...how })).json()) as Record<string, string>;

        const blocker = plan.blockers.find(({ kind }) => kind === "client-tools-unsafe");
        assert.match(blocker?.remedy ?? "", new RegExp(`client tools ${major}\\.\\d+ or newer`), filename);
        assert.equal(refused["code"], "restore_blocked", filename);
      }
    assert.deepEqual(await stage.databases(), untouched);
    const own = await stage.readResult(restore.post({ filename: stage.backup.name, into: "scratch" }));
    assert.equal(own.strategy, "rehearse");
  });
});
