import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { copyFile, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertLoadsWhatWasVerified, dumpTo, forgedDatabase } from "../support/exchanged.ts";
import { manifestOf, startFunction } from "../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const MANIFEST_SIGNING_KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const MANIFEST_PUBLIC_KEY = publicKey.export({ type: "spki", format: "pem" }).toString();

type Swap = (forged: string, archive: string) => Promise<void>;
const byRename: Swap = async (forged, archive) => {
  await copyFile(forged, `${archive}.new`);
  await rename(`${archive}.new`, archive);
};
const anew: Swap = async (forged, archive) => {
  await rm(archive);
  await copyFile(forged, archive);
};
const overwriting: Swap = (forged, archive) => copyFile(forged, archive);

/** A writer to the volume that waits until the archive was found to be good. */
describe("an archive swapped between its verification and its load", () => {
  let stage: RestoreStage;
  let evil: string;
  let signed: string;
  before(async () => {
    stage = await setRestoreStage();
    await using backup = await startFunction("backup", { ...stage.environment, MANIFEST_SIGNING_KEY });
    signed = (await manifestOf(await backup.post({ label: "signed" }))).name;
    evil = await forgedDatabase(stage);
  });
  after(() => stage[Symbol.asyncDispose]());

  const keyed = { MANIFEST_PUBLIC_KEY };
  const attacks = [
    ["custom", "in-place", "by a new file", {}, anew],
    ["custom", "in-place", "by other bytes in it, with a key", keyed, overwriting],
    ["custom", "swap", "by a rename", {}, byRename],
    ["custom", "swap", "by a rename, with a key", keyed, byRename],
    ["custom", "swap", "by other bytes in it, with a key", keyed, overwriting],
    ["plain-sql", "swap", "by a new file", {}, anew],
  ] as const;
  for (const [format, strategy, how, keys, swapNames] of attacks)
    it(`is not loaded: ${format}, ${strategy}, swapped ${how}`, async () => {
      const old = `2019-05-16/${stage.database}2019-05-16-20-55.bak`;
      const options = format === "custom" ? ["--format=custom"] : [];
      const filename = format === "custom" ? signed : old;
      const archive = join(stage.path, filename);
      const forged = join(stage.path, "forged");
      if (format !== "custom") await dumpTo(stage, stage.database, archive, options);
      const good = await readFile(archive);
      await dumpTo(stage, evil, forged, options);

      const exchange = () => swapNames(forged, archive);
      await assertLoadsWhatWasVerified(stage, { filename, strategy, environment: keys, exchange });

      assert.ok(!(await readFile(archive)).equals(good), "it was exchanged");
      await writeFile(archive, good);
    });
});
