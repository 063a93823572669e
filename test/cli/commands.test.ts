import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { cullEnvironment } from "../support/culled.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "../support/function-process.ts";
import { dormouse, type Ended } from "../support/program.ts";
import { temporaryFolder } from "../support/volume.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

/** Of the three functions, started in `before`, with a catalog of the stage's backup. */
describe("dormouse, without a terminal", () => {
  let stage: RestoreStage;
  const functions: FunctionProcess[] = [];
  let url: string;
  before(async () => {
    stage = await setRestoreStage();
    const [backup, cull, restore] = await Promise.all([
      startFunction("backup", backupEnvironment(stage.server, stage.database, stage.path)),
      startFunction("cull", cullEnvironment(stage.path)),
      stage.start(),
    ]);
    functions.push(backup, cull);
    url = `backup=${backup.url},cull=${cull.url},restore=${restore.url}`;
  });
  after(async () => {
    for (const each of functions) await each[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  });

  const ask = (...args: string[]) => dormouse([...args, "--url", url]);
  const good = async (...args: string[]) => {
    const ended = await ask(...args);
    assert.equal(ended.code, 0, JSON.stringify(ended));
    return ended;
  };
  const json = ({ stdout }: Ended) => JSON.parse(stdout) as Record<string, unknown>;

  it("takes a backup, prints its steps to stderr, and lists it", async () => {
    const taken = await good("backup", "--label", "by hand", "--pin");
    const listed = await good("list");

    assert.match(taken.stdout, /proved by reading it to its end/);
    assert.match(taken.stderr, /dumped .*iB/);
    assert.match(listed.stdout, /^BACKUP .*\n.* read .* pinned, by hand\n.* good$/m);
  });

  it("lists files of an older pod with their format, database, time and size", async () => {
    const folder = join(stage.path, "daily/2024-03-05");
    await mkdir(folder, { recursive: true });
    const file = join(folder, `pg-${stage.database}_2024-03-05_01-00-00.sql.gz`);
    await writeFile(file, gzipSync(`--\n-- PostgreSQL database dump\n--\n${"SELECT 1;\n".repeat(20)}`));

    const { stdout } = await good("list");
    await rm(join(stage.path, "daily"), { recursive: true });

    assert.match(stdout, /^FILE OF THE OLD POD +TAKEN +SIZE +FORMAT +DATABASE/m);
    assert.match(stdout, new RegExp(`^daily/.*sql\\.gz .* ago .* gzip-sql +${stage.database}$`, "m"));
  });

  it("says that all is well, what would be lost, and how long it would take to be back once that was measured", async () => {
    const before = await good("status");
    await good("rehearse");
    const after = await good("status");

    assert.match(before.stdout, /all is well/);
    assert.match(before.stdout, /lost if it died +the last [\d.]+ s/);
    assert.match(before.stdout, /back again in +not measured yet: dormouse .*rehearse/);
    assert.match(after.stdout, /back again in +about [\d.]+ s: the rehearsal of .* comes on top/);
  });

  it("restores by the exact name, says what was compared and how to undo it, and undoes it", async () => {
    await stage.destroyData();

    const planned = await good("plan", stage.backup.name);
    const refused = await ask("restore", stage.backup.name);
    const misnamed = await ask("restore", stage.backup.name, "--yes", "another");
    const restored = await good("restore", stage.backup.name, "--yes", stage.database);
    const print = await stage.fingerprint();
    const [, command = ""] = /undo +dormouse (.*?) +#/.exec(restored.stdout) ?? [];
    const undone = await dormouse([...command.split(" "), "--yes", stage.database]);

    assert.match(planned.stdout, /downtime +some seconds/);
    assert.equal(refused.code, 2);
    assert.equal(misnamed.code, 2);
    assert.match(restored.stdout, /counted +[\d,]+ rows in \d+ tables: as many as in the backup/);
    assert.deepEqual(print, stage.original);
    assert.equal(undone.code, 0, JSON.stringify(undone));
    assert.notDeepEqual(await stage.fingerprint(), stage.original);
  });

  it("plans without owners and entries, as remedies of blockers and errors say", async () => {
    const choice = ["--no-owner", "--leave-out", "TABLE a b c", "--leave-out", "TABLE d e f"];
    const { code, stdout } = await ask("plan", ...choice, stage.backup.name);

    assert.equal(code, 1, stdout);
    assert.match(stdout, /BLOCKED +entries to leave out .*: TABLE a b c, TABLE d e f/);
    assert.match(stdout, /warning +.*the role that restores/);
  });

  it("pins, unpins and shows what a cull would remove", async () => {
    await good("pin", stage.backup.name, "--reason", "the audit");
    const pinned = await good("list");
    await good("unpin", stage.backup.name);
    const culled = await good("cull");

    assert.match(pinned.stdout, /pinned, good/);
    assert.doesNotMatch((await good("list")).stdout, /pinned, good/);
    assert.match(culled.stdout, /Nothing was removed. To remove them: dormouse .*cull --yes/);
    assert.match((await good("cull", "--yes")).stdout, /0 backups removed/);
    assert.match((await good("cull", "--keep", "NUM_BACKUPS=1,KEEP_DAILY=0")).stdout, /: 1 backup kept/);
    assert.equal((await ask("cull", "--keep", "1")).code, 2);
    assert.equal((await ask("cull", "--keep", "NUM_BACKUPS=1", "--yes")).code, 2);
  });

  it("compares a backup with the one before it", async () => {
    await stage.query(stage.database, "CREATE TABLE came AS SELECT generate_series(1, 7) AS id");
    await good("backup");

    const { stdout } = await good("diff", "latest");

    assert.match(stdout, /came +public\.came +0 +→ +7/);
    assert.match(stdout, /changed +the schema/);
  });

  it("knows that nothing changed, and which table has other values in as many rows", async () => {
    await good("backup");
    const same = await good("diff", "latest");
    await stage.query(stage.database, "UPDATE came SET id = 8 WHERE id = 7");
    await good("backup");
    const { stdout } = await good("diff", "latest");

    assert.match(same.stdout, /nothing changed: all values and the schema are the same/);
    assert.match(stdout, /changed +public\.came +7 +→ +7/);
    assert.doesNotMatch(stdout, /the schema:/);
  });

  it("lists runs, and shows one step by step", async () => {
    const listed = await good("runs");
    const [id = ""] = /restore-[0-9a-f]{24}/.exec(listed.stdout) ?? [];

    assert.match((await good("run", id)).stdout, /succeeded/);
    assert.match((await good("run", id, "--follow")).stdout, /has succeeded/);
  });

  it("examines all functions in one report, and exits with 3 where one is at fault", async () => {
    const report = await ask("doctor");
    const down = await dormouse(["doctor", "--url", "backup=http://127.0.0.1:1"]);

    assert.match(report.stdout, /backup volume: /);
    assert.match(report.stdout, /cull volume: /);
    assert.match(report.stdout, /restore volume: /);
    assert.equal(down.code, 3);
  });

  it("lists the runs of one function alone, where that is named", async () => {
    const { stdout } = await good("runs", "backup", "--json");

    const { runs } = JSON.parse(stdout) as { readonly runs: readonly { readonly kind: string }[] };
    assert.deepEqual([...new Set(runs.map(({ kind }) => kind))], ["backup"]);
  });

  it("sends test messages, and says of each function where they went", async () => {
    const { code, stdout } = await ask("doctor", "--send");

    assert.equal(code, 0);
    for (const name of ["backup", "cull", "restore"])
      assert.match(stdout, new RegExp(`warning +${name} telling: there is no target`));
  });

  for (const [what, args, code, says] of [
    ["an unknown command", ["restor"], 2, /Did you mean restore/],
    ["an unknown option", ["list", "--jso"], 2, /Did you mean --json/],
    ["an address that is none", ["list", "--url", "backup=localhost"], 2, /--url/],
    ["a function without an address", ["cull", "--url", "backup=http://127.0.0.1:1"], 2, /add cull=/],
    ["a run that is none", ["run", "latest", "--url", "backup=http://127.0.0.1:1"], 2, /not the id of a run/],
    ["a shell that is none", ["completion", "csh"], 2, /bash, zsh or fish/],
    ["nothing that answers", ["backup", "--url", "backup=http://127.0.0.1:1"], 1, /does not answer/],
  ] as const)
    it(`exits with ${code} for ${what}`, async () => {
      const ended = await dormouse(args);

      assert.equal(ended.code, code, JSON.stringify(ended));
      assert.match(ended.stderr, says);
    });

  for (const [version, code] of [
    ["20.20.2", 2],
    ["22.9.0", 2],
    ["22.19.0", 0],
    ["26.1.0", 0],
  ] as const)
    it(`exits with ${code} on Node ${version}`, async () => {
      const versions = `{ value: { ...process.versions, node: "${version}" } }`;
      const preload = `data:text/javascript,${encodeURIComponent(`Object.defineProperty(process, "versions", ${versions})`)}`;

      const ended = await dormouse(["completion", "bash"], { NODE_OPTIONS: `--import=${preload}` });

      assert.equal(ended.code, code, ended.stderr);
      if (code === 2) assert.match(ended.stderr, /too old\ninstall Node 22\.19 or later/);
    });

  it("exits with 1 and the function's own words for what a function refuses", async () => {
    const unknown = await ask("plan", "hets2001-01-01-01-00.bak");
    const asJson = await ask("plan", "hets2001-01-01-01-00.bak", "--json");

    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /request_invalid|backup_not_found/);
    assert.equal(asJson.code, 1);
    assert.equal(typeof json(asJson)["code"], "string");
  });

  it("exits with 3 where there is no backup", async () => {
    await using folder = await temporaryFolder();
    await using empty = await startFunction(
      "backup",
      backupEnvironment(stage.server, stage.database, folder.path),
    );

    assert.equal((await dormouse(["status", "--url", `backup=${empty.url}`])).code, 3);
  });

  for (const shell of ["bash", "zsh", "fish"])
    it(`writes a completion for ${shell}`, async () => {
      const { stdout, code } = await dormouse(["completion", shell]);

      assert.equal(code, 0);
      for (const word of ["restore", "acknowledge", "follow"]) assert.match(stdout, new RegExp(word));
    });
});
