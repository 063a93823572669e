import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { unreadable, volumeError } from "../../../shared/catalog/volume/files.ts";
import { asDormouseError } from "../../../shared/errors.ts";
import { publish, temporaryVolume } from "../../support/volume.ts";

const failed = (code: string) => Object.assign(new Error(`${code}: of a test`), { code });

describe("a volume that is at fault", () => {
  for (const code of ["EIO", "ESTALE"]) {
    it(`has a hint that shows the storage behind it: ${code}`, () => {
      for (const error of [volumeError(failed(code), "archive"), unreadable(failed(code), "record")])
        assert.match(asDormouseError(error).hint ?? "", /kubectl describe pvc .+ kubectl describe pv /);
    });
  }

  it("has a hint with the command that moves away what stands in a folder's place", async () => {
    await using volume = await temporaryVolume();
    const path = join(volume.path, "2026-11-22");
    await writeFile(path, "");

    const { hint } = asDormouseError(await publish(volume.catalog).catch((error: unknown) => error));

    assert.equal(
      hint,
      `mv ${path} ${path}.aside, in a pod that mounts the volume; the next run makes the folder`,
    );
    await rm(path);
    await publish(volume.catalog);
  });
});
