import assert from "node:assert/strict";
import { mkdir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { VolumeCatalog, LegacyFile } from "../../../shared/catalog/catalog.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { aManifest } from "../../support/backups.ts";
import { dyingFiles } from "../../support/dying-files.ts";
import { readContent, publish, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const startedAt = new Date("2026-11-22T01:00:30Z");
const RUN = "backup-0123456789abcdef01234567";
const CULL = "cull-0123456789abcdef01234567";
const NAME = "2026-11-22/hets2026-11-22-01-00";
const DUMP = "--\n-- PostgreSQL database dump\n--\n\n--\n-- PostgreSQL database dump complete\n--\n\n";

/** A volume with a backup and a file of the old pod, both of the minute that is written to. */
async function givenVolume() {
  const volume = await temporaryVolume();
  await publish(volume.catalog, { startedAt, run: "backup-ffffffffffffffffffffffff" });
  await writeFile(join(volume.path, `${NAME}-2.bak`), gzipSync(DUMP));
  return volume;
}

for (const withLinks of [true, false]) {
  describe(`a crash on a volume ${withLinks ? "with" : "without"} hard links`, () => {
    it("while a backup is published leaves nothing that a sweep does not remove, whatever call was the last", async () => {
      await using volume = await givenVolume();
      const before = await readContent(volume.path);

      let deaths = 0;
      for (; ; deaths++) {
        const { files, isDead } = dyingFiles(deaths + 1, { withLinks });
        await publish(volumeCatalog(volume.path, files), { startedAt, sequence: 2 }).catch(() => undefined);
        await sweepWithDeaths(volume, RUN, withLinks);

        const { backups, foreign } = await volume.catalog.list(never);
        assert.deepEqual(foreign, [], `death ${deaths + 1}`);
        if (backups.length === 2) await volume.catalog.remove(`${NAME}-3.bak`, never);
        assert.deepEqual(await readContent(volume.path), before, `death ${deaths + 1}`);
        if (!isDead()) break;
      }
      assert.ok(deaths >= 12, `${deaths}`);
    });

    it("while a file of the old pod is adopted costs it nothing, whatever call was the last", async () => {
      await using volume = await givenVolume();
      const before = await readContent(volume.path);

      let deaths = 0;
      for (; ; deaths++) {
        const { files, isDead } = dyingFiles(deaths + 1, { withLinks });
        const [legacy] = (await volume.catalog.list(never)).legacy;
        await adopt(volumeCatalog(volume.path, files), legacy ?? assert.fail()).catch(() => undefined);
        await sweepWithDeaths(volume, CULL, withLinks);

        const { [`${NAME}-2.bak.json`]: manifest, ...rest } = await readContent(volume.path);
        assert.deepEqual(rest, before, `death ${deaths + 1}`);
        assert.deepEqual((await volume.catalog.list(never)).foreign, [], `death ${deaths + 1}`);
        if (!isDead()) break;
        if (manifest !== undefined) await unlink(join(volume.path, `${NAME}-2.bak.json`));
      }
      assert.ok(deaths >= 4, `${deaths}`);
    });
  });
}

describe("a sweep", () => {
  it("leaves alone what took the name that a run was about to take", async () => {
    await using volume = await temporaryVolume();
    const theirs = "of another program";
    const manifest = aManifest({ startedAt, run: RUN, bytes: Buffer.from("PGDMP of the run") });
    await mkdir(join(volume.path, "2026-11-22"));
    await writeFile(join(volume.path, `${NAME}.bak`), theirs);
    await writeFile(
      join(volume.path, `2026-11-22/.tmp-${RUN}-0000.backup.json`),
      JSON.stringify({ ...manifest, name: `${NAME}.bak` }),
    );

    await volume.catalog.sweep(RUN);

    assert.deepEqual(await readContent(volume.path), {
      [`${NAME}.bak`]: Buffer.from(theirs).toString("base64"),
    });
  });
});

/** A sweep may be killed as well: the next one goes on. */
async function sweepWithDeaths(
  { path, catalog }: { readonly path: string; readonly catalog: VolumeCatalog },
  run: string,
  withLinks: boolean,
): Promise<void> {
  for (let at = 1; ; at++) {
    const { files, isDead } = dyingFiles(at, { withLinks });
    await volumeCatalog(path, files)
      .sweep(run)
      .catch(() => undefined);
    if (!isDead()) break;
  }
  await catalog.sweep(run);
}

async function adopt(catalog: VolumeCatalog, legacy: LegacyFile) {
  return catalog.adopt(
    legacy,
    ({ sizeBytes, sha256 }) => {
      const manifest = aManifest({ startedAt, run: CULL, name: legacy.name });
      return { ...manifest, archive: { ...manifest.archive, format: "gzip-sql", sizeBytes, sha256 } };
    },
    never,
  );
}
