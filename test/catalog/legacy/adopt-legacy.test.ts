import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { appendFile, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { archiveName } from "../../../shared/catalog/archive-name.ts";
import type { VolumeCatalog, LegacyContents, LegacyFile } from "../../../shared/catalog/catalog.ts";
import { describeAdopted } from "../../../shared/catalog/legacy/legacy-adoption.ts";
import type { Files } from "../../../shared/catalog/volume/files.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import * as promises from "../../../shared/catalog/volume/volume-calls.ts";
import { readContent, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const at = new Date("2026-11-01T01:00:00Z");
const name = archiveName("hets", at);

const DUMP = `--
-- PostgreSQL database dump
--

-- Dumped from database version 9.6.10
-- Dumped by pg_dump version 9.6.11

SET statement_timeout = 0;
CREATE TABLE public.t (a integer);
COPY public.t (a) FROM stdin;
1
2
\\.

--
-- PostgreSQL database dump complete
--

`;

async function put(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(join(path, name)), { recursive: true });
  await writeFile(join(path, name), bytes);
}

async function adopt(catalog: VolumeCatalog, file: LegacyFile, seen: LegacyContents[] = []) {
  const adoption = { run: "cull-0123456789abcdef01234567", now: at };
  return catalog.adopt(
    file,
    (contents) => {
      seen.push(contents);
      return describeAdopted(file, contents, [], adoption);
    },
    never,
  );
}

async function onlyLegacy(catalog: VolumeCatalog): Promise<LegacyFile> {
  const { legacy } = await catalog.list(never);
  assert.equal(legacy.length, 1);
  return legacy[0] ?? assert.fail();
}

describe("adopting a legacy file", () => {
  for (const [format, bytes] of [
    ["gzip-sql", gzipSync(DUMP)],
    ["gzip-sql", Buffer.concat([gzipSync(DUMP.slice(0, 99)), gzipSync(DUMP.slice(99))])],
    ["plain-sql", Buffer.from(DUMP)],
  ] as const) {
    it(`makes a backup of ${format} with ${bytes.length} bytes, and leaves its bytes alone`, async () => {
      await using volume = await temporaryVolume();
      await put(volume.path, bytes);

      const result = await adopt(volume.catalog, await onlyLegacy(volume.catalog));

      const { backups, legacy, foreign } = await volume.catalog.list(never);
      assert.deepEqual(result, { backup: backups[0] });
      assert.deepEqual([legacy, foreign], [[], []]);
      assert.deepEqual(await readFile(join(volume.path, name)), bytes);
      const manifest = backups[0]?.manifest;
      assert.equal(manifest?.archive.format, format);
      assert.equal(manifest?.archive.sha256, createHash("sha256").update(bytes).digest("hex"));
      assert.equal(manifest?.archive.plainBytes, DUMP.length);
      assert.deepEqual(manifest?.content.tables, [{ schema: "public", name: "t", rows: 2 }]);
      assert.deepEqual([manifest?.versions.server, manifest?.versions.pgDump], ["9.6.10", "9.6.11"]);
      assert.deepEqual(await readdir(dirname(join(volume.path, name))), [
        "hets2026-11-01-01-00.bak",
        "hets2026-11-01-01-00.bak.json",
      ]);
    });
  }

  const whole = gzipSync(DUMP);
  const flipped = Buffer.from(whole);
  flipped[flipped.length - 20] = (flipped[flipped.length - 20] ?? 0) ^ 0xff;
  const damaged: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    ["cut short in the middle", whole.subarray(0, 60), /no whole gzip file/],
    ["cut short by its last byte", whole.subarray(0, -1), /no whole gzip file/],
    ["with one byte flipped", flipped, /no whole gzip file/],
    ["with something behind its end", Buffer.concat([whole, Buffer.from("more")]), /no whole gzip file/],
    ["whole as gzip, cut short as a dump", gzipSync(DUMP.slice(0, -60)), /cut short/],
    ["of a dump that ends inside a table", gzipSync(DUMP.slice(0, DUMP.indexOf("\\."))), /cut short/],
    ["of plain text, cut short", DUMP.slice(0, -60), /cut short/],
  ];
  for (const [what, bytes, why] of damaged) {
    it(`reports a file ${what}, keeps it, and reads it again only once it has changed`, async () => {
      await using volume = await temporaryVolume();
      await put(volume.path, bytes);

      const result = await adopt(volume.catalog, await onlyLegacy(volume.catalog));
      const listed = await onlyLegacy(volume.catalog);
      await appendFile(join(volume.path, name), "x");
      const changed = await onlyLegacy(volume.catalog);

      assert.match("damage" in result ? result.damage : "", why);
      assert.match(listed.damage ?? "", why);
      assert.equal(changed.damage, undefined);
      assert.deepEqual(Object.keys(await readContent(volume.path)), [name]);
    });
  }

  it("leaves alone what went away or became a link since it was listed", async () => {
    await using volume = await temporaryVolume();
    await put(volume.path, whole);
    const file = await onlyLegacy(volume.catalog);
    await rm(join(volume.path, name));

    const gone = await adopt(volume.catalog, file);
    await symlink("/etc/hostname", join(volume.path, name));
    const link = await adopt(volume.catalog, file);

    assert.deepEqual(gone, { damage: "is gone, or no regular file" });
    assert.deepEqual(link, gone);
    assert.deepEqual((await volume.catalog.list(never)).legacy, []);
  });

  it("adopts nothing that was written to while it was read, and does not call it damaged", async () => {
    await using volume = await temporaryVolume();
    await put(volume.path, whole);
    const open = async (...args: Parameters<Files["open"]>) => {
      const handle = await promises.open(...args);
      const read = handle.createReadStream.bind(handle);
      handle.createReadStream = (options) => {
        appendFileSync(join(volume.path, name), "x");
        return read(options);
      };
      return handle;
    };

    const result = await adopt(
      volumeCatalog(volume.path, { ...promises, open }),
      await onlyLegacy(volume.catalog),
    );

    assert.deepEqual(result, { damage: "changed while it was read" });
    assert.equal((await onlyLegacy(volume.catalog)).damage, undefined);
  });

  it("makes one backup when two adopt at once", async () => {
    await using volume = await temporaryVolume();
    await put(volume.path, whole);
    const file = await onlyLegacy(volume.catalog);

    const results = await Promise.all([adopt(volume.catalog, file), adopt(volume.catalog, file)]);

    const { backups, foreign } = await volume.catalog.list(never);
    assert.deepEqual([backups.length, foreign], [1, []]);
    assert.ok(results.every((result) => "backup" in result));
  });
});

describe("finishing a removal", () => {
  it("removes an archive of that size without a manifest, and nothing else", async () => {
    await using volume = await temporaryVolume();
    await put(volume.path, "PGDMP");
    const [size, other] = [5, archiveName("hets", at, 2)];
    await writeFile(join(volume.path, other), "PGDMP");
    await writeFile(join(volume.path, `${other}.json`), "{}");

    const wrongSize = await volume.catalog.finishRemoval(name, size + 1, never);
    const withManifest = await volume.catalog.finishRemoval(other, size, never);
    const missing = await volume.catalog.finishRemoval(archiveName("hets", at, 3), size, never);
    const finished = await volume.catalog.finishRemoval(name, size, never);

    assert.deepEqual([wrongSize, withManifest, missing, finished], [false, false, false, true]);
    assert.deepEqual(Object.keys(await readContent(volume.path)), [other, `${other}.json`]);
  });
});
