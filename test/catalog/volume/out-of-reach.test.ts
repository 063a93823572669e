import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { lstat, readdir, readRegular } from "../../../shared/catalog/volume/volume-calls.ts";
import { fault, filesWith } from "../../support/failing-files.ts";
import { publish, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const REAL: Readonly<Record<string, (...args: never[]) => Promise<unknown>>> = {
  lstat,
  readdir,
  readRegular,
};
const [DAY, OLD] = ["2026-11-21", "2026-11-21/hets2026-11-21-01-00.bak"];
const LEGACY = "2026-11-22/hets2026-11-22-02-00.bak";

/** EIO, and EBADMSG and EUCLEAN, by which a file system says that a checksum is wrong. */
const CODES = ["EIO", "Unknown system error -74", "Unknown system error -117"];

describe("a file or folder that the disk has lost", () => {
  for (const code of CODES)
    for (const [call, lost, listed] of [
      ["readdir", DAY, DAY],
      ["lstat", OLD, `${OLD}.json`],
      ["readRegular", `${OLD}.json`, `${OLD}.json`],
      ["readRegular", LEGACY, LEGACY],
    ] as const)
      it(`is listed as unreadable, with all else: ${call} of ${lost} answers ${code}`, async () => {
        await using volume = await temporaryVolume();
        const old = await publish(volume.catalog, { startedAt: new Date("2026-11-21T01:00:00Z") });
        const newest = await publish(volume.catalog, {
          startedAt: new Date("2026-11-22T01:00:00Z"),
          sequence: 2,
        });
        await writeFile(join(volume.path, LEGACY), "PGDMP");
        const failing = (...args: never[]) =>
          String(args[0]) === join(volume.path, lost) ? fault(code) : REAL[call]?.(...args);
        const catalog = volumeCatalog(volume.path, filesWith({ [call]: failing as never }));

        const { backups, foreign } = await catalog.list(never);

        assert.deepEqual(backups, lost === LEGACY ? [newest, old] : [newest]);
        assert.deepEqual(
          foreign.filter(({ reason }) => reason === "unreadable"),
          [{ path: listed, reason: "unreadable", detail: `cannot be read: ${code}: made by the test` }],
        );
        // Nothing fails that goes through all folders, either.
        await catalog.sweep("backup-2");
        assert.deepEqual(await catalog.leftovers(), []);
      });
});
