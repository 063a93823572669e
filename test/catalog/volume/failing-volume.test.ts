import assert from "node:assert/strict";
import { execa } from "execa";
import * as promises from "node:fs/promises";
import { describe, it } from "node:test";
import type { Files } from "../../../shared/catalog/volume/files.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { fault, filesWith } from "../../support/failing-files.ts";
import { publish, readContent, smallVolume, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const startedAt = new Date("2026-11-22T01:00:30Z");

describe("a volume that fails while a backup is published", () => {
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
  return filesWith({ open: open as unknown as (...args: never[]) => Promise<unknown> });
}
