import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import { readdir, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ArchiveWriter } from "../../../shared/catalog/catalog.ts";
import { digestOfBytes } from "../../../shared/catalog/digest.ts";
import type { Files } from "../../../shared/catalog/volume/files.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { DormouseError } from "../../../shared/errors.ts";
import * as promises from "../../../shared/catalog/volume/volume-calls.ts";
import { aManifest } from "../../support/backups.ts";
import { temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const startedAt = new Date("2026-11-22T01:00:00Z");
const draft = { database: "hets", run: "backup-0123456789abcdef01234567", startedAt };

/** Ends the table of contents of these tests. */
const END = "|";
const CONTENTS = `contents ${"?".repeat(9_000)}${END}`;
const DATA = Buffer.alloc(3 << 20, "data of each table ");

type Steps = {
  /** When all has passed but the end: what the process does to the file before it ends. */
  readonly atTheEnd: (write: (bytes: string, at: number) => void) => void;
  readonly fails?: Error;
};

/** Writes into the descriptor as pg_dump does: contents, data, and then something in the beginning anew. */
function aWriter({ atTheEnd, fails }: Steps): ArchiveWriter {
  return {
    async *begin(fd, passing) {
      const ended = Promise.withResolvers<void>();
      writeSync(fd, CONTENTS);
      writeSync(fd, DATA.subarray(0, 1 << 20));
      let moves = 0;
      const pieces = passing({ ended: ended.promise, moved: () => void (moves += 1) });
      let passed = 0;
      let isWhole = false;
      for await (const piece of pieces) {
        passed += piece.length;
        yield piece;
        if (passed === CONTENTS.length + (1 << 20)) writeSync(fd, DATA.subarray(1 << 20));
        if (passed < CONTENTS.length + DATA.length || isWhole) continue;
        isWhole = true;
        atTheEnd((bytes, at) => void writeSync(fd, bytes, at));
        if (fails === undefined) ended.resolve();
        else ended.reject(fails);
      }
      assert.ok(moves > 1);
    },
    async checkContents(archive) {
      let text = "";
      for await (const piece of archive) {
        text += Buffer.from(piece).toString("latin1");
        if (text.includes(END)) return;
      }
      throw new DormouseError("archive_damaged", "no whole contents");
    },
  };
}

/** The file system of a volume on which something is otherwise. */
function filesWith(change: (handle: FileHandle, flags: string) => void): Files {
  return {
    ...promises,
    async open(path, flags, mode) {
      const handle = await promises.open(path, flags, mode);
      change(handle, String(flags));
      return handle;
    },
  };
}

const fillsIn: Steps = { atTheEnd: (write) => write("!".repeat(100), 8_000) };

describe("an archive that another process writes", () => {
  it("is followed, and published with what that process filled in at its end", async () => {
    await using volume = await temporaryVolume();

    const staged = await volume.catalog.stageWritten(draft, aWriter(fillsIn), never);
    assert.ok(staged !== undefined);
    const { sizeBytes, sha256 } = staged;
    const manifest = aManifest({ startedAt });
    const { name } = await staged.publish((given) => ({
      ...manifest,
      name: given,
      archive: { ...manifest.archive, sizeBytes, sha256 },
    }));

    const bytes = await readFile(join(volume.path, name));
    assert.deepEqual(digestOfBytes(bytes), { sizeBytes, sha256 });
    assert.equal(bytes.subarray(8_000, 8_100).toString(), "!".repeat(100));
    assert.ok(bytes.subarray(CONTENTS.length).equals(DATA));
  });

  const changes: readonly (readonly [string, Steps["atTheEnd"]])[] = [
    ["in the middle", (write) => write("!", 2 << 20)],
    ["in the last byte", (write) => write("!", CONTENTS.length + DATA.length - 1)],
    ["a block behind the table of contents", (write) => write("!", CONTENTS.length + 4_096)],
    ["there and in the table of contents", (write) => [100, 1 << 20].forEach((at) => write("!", at))],
    ["by something behind the end", (write) => write("!", CONTENTS.length + DATA.length + 4_096)],
  ];
  for (const [where, atTheEnd] of changes) {
    it(`is refused when data that had passed are changed ${where}`, async () => {
      await using volume = await temporaryVolume();
      let isOver = false;
      // Behind the last read, as storage would: by then its own process has ended.
      const files = filesWith((handle, flags) => {
        if (!flags.includes("w")) return;
        const sync = handle.sync.bind(handle);
        handle.sync = async () => {
          if (!isOver) atTheEnd((bytes, at) => void writeSync(handle.fd, bytes, at));
          isOver = true;
          return sync();
        };
      });

      for (const [catalog, steps] of [
        [volume.catalog, { atTheEnd }],
        [volumeCatalog(volume.path, files), fillsIn],
      ] as const) {
        if (catalog === volume.catalog && where.startsWith("by something")) continue;
        const staged = catalog.stageWritten(draft, aWriter(steps), never);
        await assert.rejects(staged, { code: "archive_damaged" });
      }

      assert.deepEqual(await readdir(volume.path), [".dormouse"]);
    });
  }

  it("leaves nothing when its process fails, and reports why", async () => {
    await using volume = await temporaryVolume();
    const writer = aWriter({ ...fillsIn, fails: new DormouseError("dump_failed", "pg_dump failed") });

    await assert.rejects(volume.catalog.stageWritten(draft, writer, never), { code: "dump_failed" });

    assert.deepEqual(await readdir(volume.path), [".dormouse"]);
  });

  it("leaves nothing when it is aborted while its process is silent", async () => {
    await using volume = await temporaryVolume();
    const controller = new AbortController();
    const writer: ArchiveWriter = {
      begin: (_fd, passing) => {
        setTimeout(() => controller.abort(new Error("told to stop")), 20);
        return passing({ ended: new Promise(() => undefined), moved: () => undefined });
      },
      checkContents: () => Promise.resolve(),
    };

    await assert.rejects(volume.catalog.stageWritten(draft, writer, controller.signal), /told to stop/);

    assert.deepEqual(await readdir(volume.path), [".dormouse"]);
  });

  const refusals: readonly (readonly [string, (handle: FileHandle, flags: string) => void])[] = [
    [
      "refuses to open a file for both",
      (_, flags) => {
        if (flags === "wx+") throw Object.assign(new Error("EINVAL"), { code: "EINVAL" });
      },
    ],
    [
      "refuses to write its beginning anew",
      (handle) => {
        const write = handle.write.bind(handle) as (...given: unknown[]) => Promise<unknown>;
        let calls = 0;
        handle.write = ((...given: unknown[]) =>
          ++calls === 3
            ? Promise.reject(Object.assign(new Error("EPERM"), { code: "EPERM" }))
            : write(...given)) as typeof handle.write;
      },
    ],
    [
      "shows nothing of a file that is not closed",
      (handle) => {
        handle.read = (async (buffer: Buffer) => ({ bytesRead: 0, buffer })) as unknown as typeof handle.read;
      },
    ],
  ];
  for (const [what, change] of refusals) {
    it(`is not begun, and leaves nothing, where the volume ${what}`, async () => {
      await using volume = await temporaryVolume();
      const catalog = volumeCatalog(volume.path, filesWith(change));
      const writer: ArchiveWriter = {
        begin: () => assert.fail("begun"),
        checkContents: () => assert.fail("begun"),
      };

      assert.equal(await catalog.stageWritten(draft, writer, never), undefined);

      assert.deepEqual(await readdir(volume.path), [".dormouse"]);
    });
  }
});
