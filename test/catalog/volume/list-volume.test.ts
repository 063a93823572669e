import assert from "node:assert/strict";
import { execa } from "execa";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ArchiveName } from "../../../shared/catalog/archive-name.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import * as promises from "../../../shared/catalog/volume/volume-calls.ts";
import { aManifest } from "../../support/backups.ts";
import { fault, filesWith } from "../../support/failing-files.ts";
import { publish, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const startedAt = new Date("2026-11-22T01:00:30Z");

describe("the list of a volume", () => {
  it("reports what is not its own, follows nothing and removes nothing", async () => {
    await using volume = await temporaryVolume();
    const { name } = await publish(volume.catalog, { startedAt });
    const day = join(volume.path, "2026-11-22");
    const bak = (minute: string) => join(day, `hets2026-11-22-${minute}.bak`);
    await mkdir(bak("02-00"));
    await symlink("/etc/passwd", bak("03-00"));
    await execa("mkfifo", [bak("04-00")]);
    const socket = createServer().listen(bak("05-00"));
    await writeFile(bak("06-00"), "");
    await writeFile(bak("07-00"), "PGDMP and no manifest");
    await writeFile(`${bak("08-00")}.json`, "{}");
    await writeFile(bak("09-00"), "PGDMP");
    await writeFile(`${bak("09-00")}.json`, "not json");
    await writeFile(join(day, ".tmp-backup-1"), "half");
    await writeFile(join(day, "notes.txt"), "hello");
    await writeFile(join(volume.path, "README"), "hello");
    await symlink("/etc", join(volume.path, "2026-11-23"));

    const { backups, legacy, foreign } = await volume.catalog.list(never);
    socket.close();

    assert.deepEqual(
      backups.map((backup) => backup.name),
      [name],
    );
    assert.deepEqual(
      legacy.map(({ name: file, format }) => `${file.slice(-9, -4)} ${format}`),
      ["07-00 custom"],
    );
    assert.deepEqual(
      foreign.map(
        ({ path, reason }) => `${path.replace("2026-11-22/", "").replace("hets2026-11-22-", "")} ${reason}`,
      ),
      [
        ".tmp-backup-1 temporary",
        "02-00.bak folder",
        "03-00.bak link",
        "04-00.bak special_file",
        "05-00.bak special_file",
        "06-00.bak archive_without_manifest",
        "08-00.bak.json manifest_without_archive",
        "09-00.bak.json manifest_unreadable",
        "notes.txt unknown_file",
        "2026-11-23 link",
        "README unknown_file",
      ],
    );
    for (const { path } of foreign) {
      await assert.rejects(volume.catalog.remove(path as ArchiveName, never), { code: "backup_not_found" });
    }
    for (const path of ["02-00", "03-00", "04-00", "05-00"]) {
      const opened = volume.catalog.open(`2026-11-22/hets2026-11-22-${path}.bak`, 0, never);
      await assert.rejects(opened, { code: "backup_not_found" });
    }
  });

  it("counts no archive whose size or manifest is another's", async () => {
    await using volume = await temporaryVolume();
    const { name } = await publish(volume.catalog, { startedAt });
    const other = aManifest({ startedAt, database: "other" });
    await writeFile(join(volume.path, name), "PGDMP and then some");

    const grown = await volume.catalog.list(never);
    await writeFile(join(volume.path, `${name}.json`), JSON.stringify(other));
    const swapped = await volume.catalog.list(never);

    assert.deepEqual(
      grown.foreign.map(({ reason }) => reason),
      ["archive_size_differs"],
    );
    assert.deepEqual(
      swapped.foreign.map(({ reason }) => reason),
      ["manifest_unreadable"],
    );
    assert.deepEqual([...grown.backups, ...swapped.backups], []);
  });

  it("knows the files of the old pod by their content", async () => {
    await using volume = await temporaryVolume();
    const day = join(volume.path, "2026-01-05");
    await mkdir(day);
    await writeFile(join(day, "hets2026-01-05-01-00.bak"), "\x1f\x8b\x08rest", "latin1");
    await writeFile(join(day, "hets2026-01-05-02-00.bak"), "--\n-- PostgreSQL database dump\n--\n");

    const { legacy } = await volume.catalog.list(never);

    assert.deepEqual(
      legacy.map(({ name, format }) => [name.slice(-9), format]),
      [
        ["02-00.bak", "plain-sql"],
        ["01-00.bak", "gzip-sql"],
      ],
    );
  });

  it("lists the same whatever order the folder is read in", async () => {
    await using volume = await temporaryVolume();
    for (let n = 1; n <= 8; n++) await publish(volume.catalog, { startedAt, sequence: n });
    const expected = await volume.catalog.list(never);
    const names = await promises.readdir(join(volume.path, "2026-11-22"), { withFileTypes: true });

    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(names, { minLength: names.length }), async (shuffled) => {
        const readdirShuffled = async (path: string, options: { withFileTypes: true }) =>
          path.endsWith("-22") ? shuffled : promises.readdir(path, options);
        const catalog = volumeCatalog(volume.path, filesWith({ readdir: readdirShuffled }));
        assert.deepEqual(await catalog.list(never), expected);
      }),
      { numRuns: 20 },
    );
  });

  for (const [call, code] of [
    ["lstat", "ESTALE"],
    ["lstat", "ENOENT"],
    ["readdir", "ESTALE"],
    ["readdir", "EIO"],
  ] as const) {
    it(`lists nothing rather than a part when ${call} answers ${code}`, async () => {
      await using volume = await temporaryVolume();
      await publish(volume.catalog, { startedAt });
      const files = filesWith({ [call]: () => fault(code) });

      await assert.rejects(volumeCatalog(volume.path, files).list(never), { code: "catalog_unreadable" });
    });
  }

  it("names a file whose name is not UTF-8, and lists all else", async () => {
    await using volume = await temporaryVolume();
    const kept = await publish(volume.catalog, { startedAt });
    const latin1 = Buffer.from("gr\xf6\xdfe2026-11-22-01-00.bak", "latin1");
    await writeFile(Buffer.concat([Buffer.from(`${volume.path}/2026-11-22/`), latin1]), "PGDMP");

    const { backups, legacy, foreign } = await volume.catalog.list(never);

    assert.deepEqual([backups, legacy], [[kept], []]);
    assert.deepEqual(
      foreign.map(({ reason, detail }) => `${reason}: ${detail}`),
      ["unknown_file: has a name that is not UTF-8"],
    );
  });

  it("reads a manifest again when another client replaces it in between", async () => {
    await using volume = await temporaryVolume();
    const kept = await publish(volume.catalog, { startedAt });
    let stale = 1;
    const readRegular = (...args: Parameters<typeof promises.readRegular>) =>
      args[0].endsWith(".json") && stale-- > 0 ? fault("ESTALE") : promises.readRegular(...args);

    const { backups } = await volumeCatalog(volume.path, filesWith({ readRegular })).list(never);

    assert.deepEqual(backups, [kept]);
    assert.ok(stale < 1);
  });

  it("reads a day again when a file goes away in between", async () => {
    await using volume = await temporaryVolume();
    const kept = await publish(volume.catalog, { startedAt });
    const gone = await publish(volume.catalog, { startedAt, sequence: 2 });
    let isFirst = true;
    const lstat = async (path: string) => {
      if (isFirst && path.endsWith(gone.name)) {
        isFirst = false;
        await volume.catalog.remove(gone.name, never);
      }
      return promises.lstat(path);
    };

    const listing = await volumeCatalog(volume.path, filesWith({ lstat })).list(never);

    assert.deepEqual(listing.backups, [kept]);
    assert.equal(isFirst, false);
  });
});
