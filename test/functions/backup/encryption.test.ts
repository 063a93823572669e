import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import { mergedArchives } from "../../../shared/catalog/archives/merged-archives.ts";
import { ageDecryption } from "../../../shared/catalog/encryption/age-encryption.ts";
import { signatureChecker } from "../../../shared/catalog/encryption/manifest-signature.ts";
import { ageKey, hasAge, type AgeKey } from "../../support/age.ts";
import { listingOf } from "../../support/faulty.ts";
import {
  backupEnvironment,
  manifestOf,
  spawnFunction,
  startFunction,
} from "../../support/function-process.ts";
import { toBackup } from "../../../shared/catalog/backup.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { createSample, fingerprint } from "../../support/sample-database.ts";
import { temporaryFolder } from "../../support/volume.ts";

const never = new AbortController().signal;

describe("a backup function with recipients", () => {
  const signing = generateKeyPairSync("ed25519");
  const MANIFEST_SIGNING_KEY = signing.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const publicKey = signing.publicKey.export({ type: "spki", format: "pem" }).toString();
  let server: TestServer;
  let database: string;
  let keys: readonly [AgeKey, AgeKey];
  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    const client = await server.connect(database);
    await createSample(client);
    await client.end();
    keys = await Promise.all([ageKey(), ageKey()]);
  });
  after(() => server.dropDatabase(database));

  const start = (path: string, changes: Readonly<Record<string, string>> = {}) => {
    const AGE_RECIPIENTS = keys.map(({ recipient }) => recipient).join(", ");
    const environment = backupEnvironment(server, database, path);
    return startFunction("backup", { ...environment, AGE_RECIPIENTS, MANIFEST_SIGNING_KEY, ...changes });
  };

  it("stores nothing plain, signs what it says, and is opened by each key", async () => {
    await using volume = await temporaryFolder();
    await using scratch = await temporaryFolder();
    await using backup = await start(volume.path);

    const manifest = await manifestOf(await backup.post());

    const stored = await readFile(join(volume.path, manifest.name));
    assert.ok(stored.subarray(0, 21).equals(Buffer.from("age-encryption.org/v1")));
    assert.deepEqual(
      manifest.archive.recipients,
      keys.map(({ recipient }) => recipient),
    );
    signatureChecker(publicKey)(manifest);
    assert.equal((await listingOf(backup)).backups.length, 1);
    for (const { identity } of keys) {
      const files = mergedArchives({
        backupDir: volume.path,
        restoreDir: scratch.path,
        decrypt: ageDecryption(identity),
      });
      await using file = await files.open({ ...toBackup(manifest), format: "custom" }, never);
      const { stdout } = await execa(`${server.binDir}/pg_restore`, [
        "--list",
        `/proc/${process.pid}/fd/${file.fd}`,
      ]);
      assert.match(stdout, /TABLE DATA/);
    }
  });

  it("is restored by the command in its manifest, with the program age and pg_restore alone", async (test) => {
    if (!(await hasAge(test))) return;
    await using volume = await temporaryFolder();
    await using backup = await start(volume.path);
    const { restoreByHand } = await manifestOf(await backup.post());
    const identity = join(volume.path, "key");
    await writeFile(identity, keys[1].identity);
    const env = {
      PATH: `${server.binDir}:${process.env["PATH"]}`,
      PGHOST: server.host,
      PGPORT: `${server.port}`,
      PGUSER: server.user,
      PGPASSWORD: server.password,
      AGE_IDENTITY_FILE: identity,
    };

    await execa("sh", ["-c", restoreByHand], { cwd: volume.path, env });

    const restored = `${database}_restored`;
    const [source, target] = await Promise.all([server.connect(database), server.connect(restored)]);
    const [expected, actual] = [await fingerprint(source), await fingerprint(target)];
    await Promise.all([source.end(), target.end()]);
    await server.dropDatabase(restored);
    assert.deepEqual(actual, expected);
  });

  it("says at its start that nothing proves the origin of a backup, where no key signs", async () => {
    await using volume = await temporaryFolder();
    await using backup = await start(volume.path, { MANIFEST_SIGNING_KEY: "" });

    assert.ok(backup.lines.some(({ message }) => message.includes("set MANIFEST_SIGNING_KEY")));
  });

  for (const [variable, value] of [
    ["AGE_RECIPIENTS", "age1nobody"],
    ["AGE_RECIPIENTS", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA"],
    ["MANIFEST_SIGNING_KEY", "not a key, and not to be shown"],
  ] as const)
    it(`does not start with ${variable}=${value}`, async () => {
      await using volume = await temporaryFolder();
      const environment = backupEnvironment(server, database, volume.path);
      await using backup = spawnFunction("backup", { ...environment, [variable]: value });

      const line = await backup.logged("start-up failed");

      assert.equal(line["code"], "configuration_invalid");
      assert.match(String(line["error"]), new RegExp(variable));
      assert.doesNotMatch(JSON.stringify(backup.lines), /not to be shown/);
    });
});
