import assert from "node:assert/strict";
import { mkdir, readdir, rm, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { estimateSpace } from "../../../shared/backup/space.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { fault, filesWith } from "../../support/failing-files.ts";
import { ODD_NAMES } from "../../support/odd-names.ts";
import { collect } from "../../support/postgres-adapter.ts";
import { publish, readContent, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const startedAt = new Date("2026-11-22T01:00:30Z");
const run = "backup-0123456789abcdef01234567";
const draft = { database: "hets", run, startedAt };

describe("volumeCatalog", () => {
  it("publishes an archive and its manifest, for the owner and the group alone", async () => {
    await using volume = await temporaryVolume();
    // As a function sets it when it starts.
    const before = process.umask(0o007);

    const backup = await publish(volume.catalog, { startedAt }).finally(() => process.umask(before));

    const listing = await volume.catalog.list(never);
    assert.equal(backup.name, "2026-11-22/hets2026-11-22-01-00.bak");
    assert.deepEqual(listing, { backups: [backup], legacy: [], foreign: [] });
    assert.deepEqual(Object.keys(await readContent(volume.path)), [backup.name, `${backup.name}.json`]);
    assert.equal((await stat(join(volume.path, backup.name))).mode & 0o777, 0o660);
    assert.equal((await stat(join(volume.path, "2026-11-22"))).mode & 0o777, 0o770);
    assert.deepEqual(await volume.catalog.find(backup.name, never), backup);
  });

  it("gives each backup of one minute a name of its own, whatever took the others", async () => {
    await using volume = await temporaryVolume();
    const name = (await publish(volume.catalog, { startedAt })).name;
    await writeFile(join(volume.path, name.replace(".bak", "-2.bak")), "of another program");
    await writeFile(join(volume.path, name.replace(".bak", "-3.bak.json")), "{}");

    const next = await publish(volume.catalog, { startedAt, sequence: 2 });

    assert.equal(next.name, name.replace(".bak", "-4.bak"));
    assert.deepEqual(
      (await volume.catalog.list(never)).backups.map((backup) => backup.name),
      [next.name, name],
    );
  });

  for (const database of ODD_NAMES) {
    it(`keeps the database ${JSON.stringify(database)} below its folder`, async () => {
      await using volume = await temporaryVolume();

      const { name } = await publish(volume.catalog, { database, startedAt });

      const [listed] = (await volume.catalog.list(never)).backups;
      assert.equal(listed?.database, database);
      assert.deepEqual(await readdir(volume.path), [".dormouse", "2026-11-22"]);
      assert.equal((await collect(await volume.catalog.open(name, 0, never))).toString(), "PGDMP");
    });
  }

  it("removes the manifest and the archive, and the folder of the day with the last one", async () => {
    await using volume = await temporaryVolume();
    const first = await publish(volume.catalog, { startedAt });
    const second = await publish(volume.catalog, { startedAt, sequence: 2 });

    await volume.catalog.remove(first.name, never);
    const left = (await volume.catalog.list(never)).backups;
    await volume.catalog.remove(second.name, never);

    assert.deepEqual(left, [second]);
    assert.deepEqual(await readdir(volume.path), [".dormouse"]);
    await assert.rejects(volume.catalog.remove(second.name, never), { code: "backup_not_found" });
  });

  it("marks a backup, changes nothing else of it, and never brings back what was removed", async () => {
    await using volume = await temporaryVolume();
    const { name, manifest } = await publish(volume.catalog, { startedAt });
    const pinned = { ...manifest, pin: { at: startedAt.toISOString(), by: "test" } };
    const pin = () => ({ ...pinned, sequence: 99, restoreByHand: "rm -rf /" });

    await volume.catalog.mark(name, pin, never);
    const found = await volume.catalog.find(name, never);
    await volume.catalog.remove(name, never);

    assert.deepEqual(found?.manifest, pinned);
    await assert.rejects(volume.catalog.mark(name, pin, never), { code: "backup_not_found" });
    assert.deepEqual(await readContent(volume.path), {});
  });

  it("removes its temporary file when the source fails, stops or is aborted", async () => {
    await using volume = await temporaryVolume();
    const controller = new AbortController();
    async function* broken() {
      yield Buffer.from("PGDMP");
      throw new Error("pg_dump failed");
    }
    async function* aborted() {
      yield Buffer.from("PGDMP");
      controller.abort(new Error("told to stop"));
      yield Buffer.from("more");
    }

    await assert.rejects(volume.catalog.stage(draft, broken(), never), /pg_dump failed/);
    await assert.rejects(volume.catalog.stage(draft, aborted(), controller.signal), /told to stop/);

    assert.deepEqual(await readdir(volume.path), [".dormouse"]);
  });

  it("publishes without hard links, and still replaces nothing", async () => {
    await using volume = await temporaryVolume();
    const catalog = volumeCatalog(volume.path, filesWith({ link: () => fault("ENOTSUP") }));

    const first = await publish(catalog, { startedAt });
    const second = await publish(catalog, { startedAt, sequence: 2 });

    assert.deepEqual((await volume.catalog.list(never)).backups, [second, first]);
  });

  it("is not full where the storage says of itself nothing but zeros", async () => {
    await using volume = await temporaryVolume();
    const zeros = { type: 0, bsize: 512, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };

    const space = await volumeCatalog(volume.path, filesWith({ statfs: async () => zeros })).space();

    assert.equal(estimateSpace(1 << 30, undefined, space).isEnough, true);
  });

  it("reports the free space of the volume", async () => {
    await using volume = await temporaryVolume();

    const { availableBytes, availableInodes } = await volume.catalog.space();

    assert.ok(availableBytes > 1_000_000);
    assert.ok(availableInodes > 100);
    await rm(volume.path, { recursive: true });
    await assert.rejects(volume.catalog.list(never), { code: "catalog_unreadable" });
    await mkdir(volume.path);
    await unlink(join(volume.path, "nothing")).catch(() => undefined);
  });
});
