import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { jsonLog } from "../../shared/log.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { runSeal } from "../../shared/run/run-record.ts";
import type { NewRun, Run } from "../../shared/run/run.ts";
import { temporaryVolume } from "../support/volume.ts";

const at = new Date("2026-11-22T01:00:07.123Z");

function wantedOf(kind: Run["kind"]): NewRun {
  const source = "/apis/v1/namespaces/hets/pingsources/daily";
  return { kind, database: "hets", trigger: { source, id: "a1", at, data: "{}" }, request: {} };
}

/** A writer to the volume that works out what a night's run is called: a hash of its database and its event. */
describe("a record that is written under the name of a run to come", () => {
  const claims: Readonly<Record<string, (run: Run) => string>> = {
    "says that it is another database's": (run) =>
      JSON.stringify({ ...run, database: "other", state: "succeeded" }),
    "says that it is of another kind": (run) =>
      JSON.stringify({ ...run, kind: run.kind === "cull" ? "backup" : "cull", state: "succeeded" }),
    "cannot be read": () => "{",
  };
  for (const kind of ["backup", "cull", "restore"] as const)
    for (const [how, claim] of Object.entries(claims)) {
      // In what cannot be read of a restore may stand what an application needs back: it is reported, and not set aside.
      if (kind === "restore" && how !== "says that it is another database's") continue;
      it(`keeps no ${kind} from its night when it ${how}`, async () => {
        await using volume = await temporaryVolume();
        // The cull function has no secret to make a seal of.
        const seal = kind === "cull" ? undefined : runSeal(kind, (database) => database === "hets", "secret");
        const store = () =>
          runFiles(
            volume.path,
            jsonLog(() => undefined),
            seal,
          );
        const folder = join(volume.path, ".dormouse", "runs");
        const { run } = await store().begin(wantedOf(kind));
        const path = join(folder, `${run.id}.json`);
        const forged = claim(run);
        await rm(path);
        await writeFile(path, forged);

        const begun = await store().begin(wantedOf(kind));

        assert.deepEqual([begun.isNew, begun.run.database, begun.run.state], [true, "hets", "accepted"]);
        assert.deepEqual(await store().find(run.id), begun.run);
        assert.equal((await store().begin(wantedOf(kind))).isNew, false);
        assert.deepEqual((await readdir(folder)).toSorted(), [`${run.id}.json`, `${run.id}.unsealed`]);
        assert.equal(await readFile(join(folder, `${run.id}.unsealed`), "utf8"), forged);
      });
    }
});
