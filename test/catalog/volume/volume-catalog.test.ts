import assert from "node:assert/strict";
import { execa } from "execa";
import * as promises from "node:fs/promises";
import { mkdir, readdir, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ArchiveName } from "../../../shared/catalog/archive-name.ts";
import type { Files } from "../../../shared/catalog/volume/files.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { aManifest } from "../../support/backups.ts";
import { ODD_NAMES } from "../../support/odd-names.ts";
import { collect } from "../../support/postgres-adapter.ts";
import { readContent, pieces, publish, smallVolume, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const startedAt = new Date("2026-11-22T01:00:30Z");
const run = "backup-0123456789abcdef01234567";
const draft = { database: "hets", run, startedAt };

function failing(changes: Partial<Record<keyof Files, (...args: never[]) => Promise<unknown>>>): Files {
  return { ...promises, ...changes } as unknown as Files;
}

function fault(code: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(`${code}: made by the test`), { code }));
}

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
    await writeFile(join(volume.path, name.replace(".bak", "-2.bak")), "somebody else's");
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
        const catalog = volumeCatalog(volume.path, failing({ readdir: readdirShuffled }));
        assert.deepEqual(await catalog.list(never), expected);
      }),
      { numRuns: 20 },
    );
  });

  for (const code of ["EIO", "ESTALE", "ENOENT"]) {
    it(`lists nothing rather than a part when a folder answers ${code}`, async () => {
      await using volume = await temporaryVolume();
      await publish(volume.catalog, { startedAt });
      const files = failing({ lstat: () => fault(code) });

      await assert.rejects(volumeCatalog(volume.path, files).list(never), { code: "catalog_unreadable" });
    });
  }

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

    const listing = await volumeCatalog(volume.path, failing({ lstat })).list(never);

    assert.deepEqual(listing.backups, [kept]);
    assert.equal(isFirst, false);
  });

  it("publishes without hard links, and still replaces nothing", async () => {
    await using volume = await temporaryVolume();
    const catalog = volumeCatalog(volume.path, failing({ link: () => fault("ENOTSUP") }));

    const first = await publish(catalog, { startedAt });
    const second = await publish(catalog, { startedAt, sequence: 2 });

    assert.deepEqual((await volume.catalog.list(never)).backups, [second, first]);
  });

  for (const call of ["sync", "close", "write"] as const) {
    for (const code of ["EIO", "EDQUOT"]) {
      it(`publishes nothing when ${call} fails with ${code}, at whatever file`, async () => {
        await using volume = await temporaryVolume();
        const before = await readContent(volume.path);

        for (let failingCall = 1; failingCall <= 8; failingCall++) {
          const catalog = volumeCatalog(volume.path, failingHandles(call, code, failingCall));
          const expected = code === "EIO" ? "volume_unwritable" : "disk_full";
          const isReached = await publish(catalog, { startedAt }).then(
            async ({ name }) => volume.catalog.remove(name, never).then(() => false),
            (error: { code?: string }) => error.code === expected,
          );

          assert.equal(isReached, failingCall <= (call === "sync" ? 6 : 1) || isReached);
          assert.deepEqual(await readContent(volume.path), before, `call ${failingCall}`);
        }
      });
    }
  }

  it("says that the disk is full, keeps what was there, and leaves nothing half", async (test) => {
    await using small = await smallVolume(test, "1m");
    if (small === undefined) return;
    const catalog = volumeCatalog(small.path);
    await publish(catalog, { startedAt });
    const before = await readContent(small.path);

    const tooLarge = publish(catalog, { startedAt, bytes: Buffer.alloc(2 << 20) });
    await assert.rejects(tooLarge, { code: "disk_full" });
    const free = (await catalog.space()).availableBytes;
    const noRoomForManifest = publish(catalog, { startedAt, bytes: Buffer.alloc(free, 1) });
    await assert.rejects(noRoomForManifest, { code: "disk_full" });

    assert.deepEqual(await readContent(small.path), before);
    assert.equal((await catalog.list(never)).backups.length, 1);
  });

  it("says that the volume is read-only", async (test) => {
    await using small = await smallVolume(test, "1m");
    if (small === undefined) return;
    const catalog = volumeCatalog(small.path);
    const { name } = await publish(catalog, { startedAt });
    await execa("mount", ["-o", "remount,ro", small.path]);

    await assert.rejects(publish(catalog, { startedAt }), { code: "volume_unwritable" });
    await assert.rejects(catalog.remove(name, never), { code: "volume_unwritable" });

    assert.equal((await catalog.list(never)).backups.length, 1);
  });

  it("sweeps while a cull removes folders and another sweep the same files", async () => {
    await using volume = await temporaryVolume();
    const { name } = await publish(volume.catalog, { startedAt });
    const emptied = join(volume.path, "2026-11-21");
    await mkdir(emptied);
    await volume.catalog.stage(draft, pieces("left"), never);
    const readdirBehind = async (path: string, options: object) => {
      if (path === emptied) await rm(emptied, { recursive: true, force: true });
      const found = await readdir(path, options);
      if (path.endsWith("2026-11-22")) await volume.catalog.sweep(run);
      return found;
    };

    await volumeCatalog(volume.path, failing({ readdir: readdirBehind })).sweep(run);

    const { backups, foreign } = await volume.catalog.list(never);
    assert.deepEqual([backups.map((backup) => backup.name), foreign], [[name], []]);
  });

  it("sweeps the temporary files of one run and of no other", async () => {
    await using volume = await temporaryVolume();
    const { name } = await publish(volume.catalog, { startedAt });
    await volume.catalog.stage(draft, pieces("mine"), never);
    await volume.catalog.stage(
      { ...draft, run: "backup-ffffffffffffffffffffffff" },
      pieces("another's"),
      never,
    );

    await volume.catalog.sweep(run);

    const { backups, foreign } = await volume.catalog.list(never);
    assert.deepEqual(
      backups.map((backup) => backup.name),
      [name],
    );
    assert.deepEqual(
      foreign.map(({ path }) => path.includes("ffffffff")),
      [true],
    );
  });

  it("tells what is left on the volume", async () => {
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

/** The file system, but the given call of an open file fails the `failingCall`-th time. */
function failingHandles(call: "sync" | "close" | "write", code: string, failingCall: number): Files {
  let calls = 0;
  const open = async (...args: Parameters<Files["open"]>) => {
    const handle = await promises.open(...args);
    return new Proxy(handle, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        if (property !== call) return value.bind(target) as unknown;
        return async (...callArgs: unknown[]) => {
          calls++;
          if (calls !== failingCall) return value.apply(target, callArgs) as unknown;
          if (call === "close") await target.close();
          return fault(code);
        };
      },
    });
  };
  return failing({ open: open as unknown as (...args: never[]) => Promise<unknown> });
}
