import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import { hasAge } from "../support/age.ts";
import { lackOfProgram } from "../support/debian.ts";
import { installation } from "../support/installation.ts";
import { blocksOf, pages, type Block } from "../support/pages.ts";
import { aMachine, type Machine } from "../support/pasted-shell.ts";
import { startPostgres, type OwnServer } from "../support/postgres.ts";

/** In this order: the others find the backups that the README's commands have made. */
const PAGES = [
  "README.md",
  "docs/tasks.md",
  "docs/notifications.md",
  "docs/restore-by-hand.md",
  "docs/encryption.md",
  "docs/mirror.md",
] as const;
/** As the pages have it. */
const PASSWORD = "change-me";

describe("what a page says to work without a cluster, pasted as it stands", async () => {
  const { major } = await installation();
  const tooOld = major < 14 ? "the roles of the README need pg_read_all_data, of PostgreSQL 14" : undefined;
  const skip = tooOld ?? (await lackOfProgram("jq", "/usr/bin/jq")) ?? false;
  let server: OwnServer;
  let machine: Machine;
  before(async () => {
    if (skip !== false) return;
    server = await startPostgres();
    await server.query("postgres", `ALTER ROLE postgres PASSWORD '${PASSWORD}'`);
    machine = await aMachine({ ...server, password: PASSWORD });
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  const rowsIn = async (database: string) => {
    const { host, port, user, binDir } = server;
    const to = ["-h", host, "-p", `${port}`, "-U", user, "-d", database];
    const sql = "SELECT count(*) FROM equipment";
    const env = { PGPASSWORD: PASSWORD };
    const { stdout } = await execa(`${binDir}/psql`, [...to, "-XAtqc", sql], { env });
    return Number(stdout);
  };

  it("is pasted here, of every page that says so", async () => {
    const saying = [];
    for (const page of await pages()) if ((await localBlocksOf(page)).length > 0) saying.push(page);
    assert.deepEqual(saying.toSorted(), PAGES.toSorted());
  });

  it("takes a backup, culls, restores and takes that back: README.md", { skip }, async () => {
    await using shell = await machine.shell();
    const said: string[] = [];
    for (const block of await localBlocksOf("README.md")) said.push(await shell.paste(block));

    const inTheirOrder = [
      /1,000 rows in 1 table, proved/,
      /all is well/,
      /^BACKUP .*\n.* read .* pinned, before the upgrade$/,
      /^Nothing was removed/,
      /^0 backups removed/,
      /^ +downtime +some seconds/,
      /^Restored: /,
      /1,000 rows in 1 table: /,
      /^Taken back/,
    ];
    assert.match(said.join(""), new RegExp(inTheirOrder.map(({ source }) => source).join("[^]*"), "m"));
    assert.equal(await rowsIn("hets"), 1000);
  });

  it("takes one table back from a copy, and leaves nothing of it: docs/tasks.md", { skip }, async () => {
    await using shell = await machine.shell();
    const said = [];
    for (const block of await localBlocksOf("docs/tasks.md")) said.push(await shell.paste(block));

    assert.match(said.join(""), /1,000 rows in 1 table: /);
    assert.match(said.join(""), /1 not encrypted/);
    assert.equal(await rowsIn("hets"), 1000);
    await assert.rejects(rowsIn("hets_yesterday"));
  });

  it("shows what a monitor gets: docs/notifications.md", { skip }, async () => {
    await using shell = await machine.shell();
    const said = [];
    for (const block of await localBlocksOf("docs/notifications.md")) said.push(await shell.paste(block));

    assert.match(said.join(""), /POST \/check\/start\nPOST \/check$/m);
  });

  it("restores with PostgreSQL's own tools: docs/restore-by-hand.md", { skip }, async () => {
    await using shell = await machine.shell();
    for (const block of await localBlocksOf("docs/restore-by-hand.md")) await shell.paste(block);

    assert.deepEqual([await rowsIn("hets_restored"), await rowsIn("hets_by_list")], [1000, 1000]);
  });

  it("encrypts, decrypts and makes keys that sign: docs/encryption.md", { skip }, async (test) => {
    if (!(await hasAge(test))) return;
    await using shell = await machine.shell();
    const [keys, ...others] = await localBlocksOf("docs/encryption.md");
    const taking = (await localBlocksOf("README.md")).filter(
      ({ text, heading }) => heading === "Take a backup" && !text.includes("createdb"),
    );
    assert.ok(keys !== undefined && taking.length > 0);

    for (const block of [keys, ...taking]) await shell.paste(block);
    const listed = await shell.paste({ where: "the list", text: "dormouse list --json" });
    for (const block of others) await shell.paste(block);

    const [newest] = (JSON.parse(listed) as { backups: readonly { manifest: BackupManifest }[] }).backups;
    assert.equal(newest?.manifest.archive.recipients?.length, 2);
    assert.equal(await rowsIn("hets_decrypted"), 1000);
    assert.ok(existsSync(join(machine.home, "backups/signing.pub")));
  });

  it("names the tests of a store: docs/mirror.md", { skip }, async () => {
    await using shell = await machine.shell();
    const said = [];
    for (const block of await localBlocksOf("docs/mirror.md")) said.push(await shell.paste(block));

    assert.match(said.join(""), /bucket-catalog\.test\.ts/);
  });
});

async function localBlocksOf(page: string): Promise<readonly Block[]> {
  return (await blocksOf(page)).filter(({ language, needs }) => language === "sh" && needs === "no cluster");
}
