import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import { preload, until } from "../support/faulty.ts";
import { manifestOf, startFunction } from "../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import { createSample } from "../support/sample-database.ts";

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

/** Who may write to the volume, and waits until the archive was found to be good. */
describe("an archive swapped between its verification and its load", () => {
  let stage: RestoreStage;
  let evil: string;
  let signed: string;
  before(async () => {
    stage = await setRestoreStage();
    await using backup = await startFunction("backup", { ...stage.environment, MANIFEST_SIGNING_KEY });
    signed = (await manifestOf(await backup.post({ label: "signed" }))).name;
    evil = await stage.server.createDatabase(`${stage.database}_evil`);
    const client = await stage.server.connect(evil);
    await createSample(client);
    await client.query("UPDATE hire.owner SET name = 'forged' WHERE id = 1");
    await client.end();
  });
  after(() => stage[Symbol.asyncDispose]());

  async function dump(database: string, path: string, options: readonly string[]): Promise<void> {
    const { host, port, user, password, binDir } = stage.server;
    const env = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password };
    await mkdir(dirname(path), { recursive: true });
    await execa(`${binDir}/pg_dump`, [...options, `--file=${path}`, database], { env });
  }

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
      const options = format === "custom" ? ["--format=custom"] : [];
      const old = `2019-05-16/${stage.database}2019-05-16-20-55.bak`;
      const name = format === "custom" ? signed : old;
      const archive = join(stage.path, name);
      const forged = join(stage.path, "forged");
      if (format !== "custom") await dump(stage.database, archive, options);
      const good = await readFile(archive);
      await dump(evil, forged, options);
      const point = strategy === "in-place" ? "phase loaded" : "step verified";
      const paused = { ...preload("records-preload.ts"), DORMOUSE_TEST_RECORD: `stop after ${point}` };
      const restore = await stage.start({ ...paused, ...keys, RESTORE_JOBS: "3" });
      const answer = restore.post({ filename: name, strategy });
      await until(async () => (await readFile(`/proc/${restore.pid}/stat`, "utf8")).includes(") T "));
      await swapNames(forged, archive);
      process.kill(restore.pid, "SIGCONT");
      await stage.readResult(answer);

      const sql = "SELECT name FROM hire.owner WHERE id = 1";
      assert.deepEqual((await stage.query(stage.database, sql)).rows, [{ name: "Owner 1" }]);
      assert.deepEqual(await stage.fingerprint(), stage.original);
      assert.ok(!(await readFile(archive)).equals(good), "it was exchanged");
      await restore.end("SIGTERM");
      await writeFile(archive, good);
    });
});
